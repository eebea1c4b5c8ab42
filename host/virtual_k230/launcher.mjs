// The child process of a virtual K230: loads MicroPython (WebAssembly) and connects it to the board's Python side.
//
// Started by board.py as `node launcher.mjs CONFIG`, CONFIG being JSON: package (path of micropython.mjs), requestFd
// and replyFd (inherited pipes), heapBytes, modules (folder of the emulated modules), code (what to run).
// The script sees /dev/hal (one request/reply stream to the Python side), /dev/hal_handle/N (closing it frees handle N)
// and /.frozen (the emulated modules). When the reply pipe closes, the parent is gone and this process ends.

import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const config = JSON.parse(process.argv[2]);
const { loadMicroPython } = await import(pathToFileURL(config.package).href);

// ---- pipes ----------------------------------------------------------------------------------------------------

const sleeper = new Int32Array(new SharedArrayBuffer(4));

function retrying(operation) {
    for (;;) {
        try {
            return operation();
        } catch (error) {
            if (error.code === "EPIPE") process.exit(0);
            if (error.code !== "EAGAIN") throw error;
            Atomics.wait(sleeper, 0, 0, 1);
        }
    }
}

function writeAll(bytes, offset, length) {
    const end = offset + length;
    while (offset < end) offset += retrying(() => fs.writeSync(config.requestFd, bytes, offset, end - offset));
}

const inbox = Buffer.alloc(65536);
let inboxStart = 0;
let inboxEnd = 0;

/** Read exactly `length` bytes of the reply stream into `target`; ends the process when the parent is gone. */
function readExactly(target, offset, length) {
    const wanted = length;
    while (length > 0) {
        if (inboxStart === inboxEnd) {
            const direct = length >= inbox.length;
            const n = direct
                ? retrying(() => fs.readSync(config.replyFd, target, offset, length, null))
                : retrying(() => fs.readSync(config.replyFd, inbox, 0, inbox.length, null));
            if (n === 0) process.exit(0);
            if (direct) {
                offset += n;
                length -= n;
                continue;
            }
            inboxStart = 0;
            inboxEnd = n;
        }
        const n = Math.min(length, inboxEnd - inboxStart);
        target.set(inbox.subarray(inboxStart, inboxStart + n), offset);
        inboxStart += n;
        offset += n;
        length -= n;
    }
    return wanted;
}

const header = Buffer.alloc(8);
const NO_BYTES = Buffer.alloc(0);

/** One hardware call from JavaScript. Returns [reply list, blob]. */
function call(op, args, blob = NO_BYTES) {
    const text = Buffer.from(JSON.stringify([op, args]));
    const head = Buffer.alloc(8);
    head.writeUInt32LE(text.length, 0);
    head.writeUInt32LE(blob.length, 4);
    const packet = Buffer.concat([head, text]);
    writeAll(packet, 0, packet.length);
    if (blob.length) writeAll(blob, 0, blob.length);
    readExactly(header, 0, 8);
    const reply = Buffer.alloc(header.readUInt32LE(0));
    const replyBlob = Buffer.alloc(header.readUInt32LE(4));
    readExactly(reply, 0, reply.length);
    if (replyBlob.length) readExactly(replyBlob, 0, replyBlob.length);
    return [JSON.parse(reply), replyBlob];
}

// ---- console and handles: small things are gathered and sent before the next hardware call ---------------------

let consoleText = [];
let freedHandles = [];

function flush() {
    if (consoleText.length) {
        const blob = Buffer.concat(consoleText);
        consoleText = [];
        call("console.write", [], blob);
    }
    if (freedHandles.length) {
        const handles = freedHandles;
        freedHandles = [];
        call("hal.free", [handles]);
    }
}

function consoleWrite(stream, bytes, offset, length) {
    const text = Buffer.from(bytes.slice(offset, offset + length));
    consoleText.push(text);
    if (length > 256 || text.includes(10)) flush();
    return length;
}

// ---- the interpreter ------------------------------------------------------------------------------------------

const lines = (text) => consoleWrite(null, Buffer.from(text + "\n"), 0, text.length + 1);
const mp = await loadMicroPython({ heapsize: config.heapBytes, stdout: lines, stderr: lines, linebuffer: true });
const FS = mp.FS;

for (const fd of [1, 2]) {
    FS.getStream(fd).stream_ops = { ...FS.getStream(fd).stream_ops, write: consoleWrite };
}

let atRequestStart = true;
const halDevice = FS.makedev(64, 0);
FS.registerDevice(halDevice, {
    open() {},
    close() {},
    write(stream, bytes, offset, length) {
        if (atRequestStart) flush();
        atRequestStart = false;
        writeAll(bytes, offset, length);
        return length;
    },
    read(stream, bytes, offset, length) {
        atRequestStart = true;
        return readExactly(bytes, offset, length);
    },
    llseek() {
        return 0;
    },
});
FS.mkdev("/dev/hal", 0o666, halDevice);

// A folder in which every name exists: opening N gives a stream whose end is the end of handle N.
const handleOps = {
    node: {
        lookup(parent, name) {
            const node = FS.createNode(parent, name, 0o100444, 0);
            node.node_ops = handleOps.node;
            node.stream_ops = handleOps.stream;
            return node;
        },
        getattr(node) {
            const now = new Date(0);
            return { dev: 1, ino: node.id, mode: node.mode, nlink: 1, uid: 0, gid: 0, rdev: 0, size: 0, atime: now, mtime: now, ctime: now, blksize: 512, blocks: 0 };
        },
    },
    stream: {
        open() {},
        close(stream) {
            freedHandles.push(Number(stream.node.name));
            FS.destroyNode(stream.node);
        },
    },
};
FS.mkdir("/dev/hal_handle");
FS.mount(
    {
        mount() {
            const root = FS.createNode(null, "/", 0o40777, 0);
            root.node_ops = handleOps.node;
            root.stream_ops = {};
            return root;
        },
    },
    {},
    "/dev/hal_handle",
);

// The emulated modules are copied into memory, where imports are quick.
function copyModules(from, to) {
    FS.mkdir(to);
    for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
        if (entry.name === "__pycache__") continue;
        const source = path.join(from, entry.name);
        const target = `${to}/${entry.name}`;
        if (entry.isDirectory()) copyModules(source, target);
        else if (entry.name.endsWith(".py")) FS.writeFile(target, fs.readFileSync(source));
    }
}
copyModules(config.modules, "/.frozen");

try {
    mp.runPython(config.code);
} catch (error) {
    lines(String(error.message ?? error));
}
flush();
process.exit(0);
