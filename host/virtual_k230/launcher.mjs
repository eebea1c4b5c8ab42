// The child process of a virtual K230: loads MicroPython (WebAssembly) and connects it to the board's Python side.
//
// Started by board.py as `node launcher.mjs CONFIG`, CONFIG being JSON: package (path of micropython.mjs), wasm (the
// build patched by gc_patch.mjs), requestFd, replyFd and watchFd (inherited pipes), heapBytes, modules (folder of the emulated
// modules), cards ({board path: real folder}), temporary (folders that go when the parent was killed), code (what to run).
// The script sees /dev/hal (one request/reply stream to the Python side), /dev/hal_handle/N (closing it frees handle N),
// /.frozen (the emulated modules) and the cards. When the reply pipe closes, the parent is gone and this process ends.

import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { cardFileSystem, useLinuxErrorNumbers } from "./card_fs.mjs";
import { removeAndLeave } from "./orphan.mjs";
import { Threads } from "./threads.mjs";

/** End at once: process.exit() would wait for the watching thread, which blocks. */
function leave() {
    process.kill(process.pid, "SIGKILL");
}

process.on("uncaughtException", (error) => {
    console.error(`virtual K230: the interpreter failed: ${error.stack ?? error}`.slice(0, 2000));
    process.kill(process.pid, "SIGTERM"); // by which child.py knows
});

const config = JSON.parse(process.argv[2]);
const orphaned = () => removeAndLeave(config.temporary);
// A script that only computes never looks at its pipes; this thread sees that the parent is gone even then.
new Worker(new URL("./orphan.mjs", import.meta.url), { workerData: { watchFd: config.watchFd, temporary: config.temporary } }).unref();

// Emscripten complains on stderr each time the heap limit below holds; the script gets its MemoryError.
const complain = console.error;
console.error = (...words) => /^(growMemory|Failed to grow)/.test(String(words[0])) || complain(...words);
let wasm;
let wasmImports;
const instantiate = WebAssembly.instantiate;
WebAssembly.instantiate = async (binary, imports) => {
    useLinuxErrorNumbers(imports);
    wasmImports = imports;
    const result = await instantiate(binary, imports);
    wasm = (result.instance ?? result).exports;
    return result;
};
const { loadMicroPython } = await import(pathToFileURL(config.package).href);

// ---- pipes ----------------------------------------------------------------------------------------------------

const sleeper = new Int32Array(new SharedArrayBuffer(4));

function retrying(operation) {
    for (;;) {
        try {
            return operation();
        } catch (error) {
            if (error.code === "EPIPE") orphaned();
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
            if (n === 0) orphaned();
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
    const reply = Buffer.alloc(header.readUInt32LE(0) & 0x7fffffff);
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

const PYSTACK_WORDS = 16384;
const STACK_BYTES = 320 * 1024;
const STACK_LIMIT_BYTES = 192 * 1024; // about 500 Python calls; beyond: RuntimeError, well before Node's own stack ends
const SPARE_BYTES = 256 * 1024; // for what the port itself allocates; less than MicroPython asks for to grow its heap

const lines = (text) => consoleWrite(null, Buffer.from(text + "\n"), 0, text.length + 1);
const mp = await loadMicroPython({ heapsize: config.heapBytes, pystack: PYSTACK_WORDS, url: pathToFileURL(config.wasm).href, stdout: lines, stderr: lines, linebuffer: true });
const FS = mp.FS;

function moveStack() {
    const { _malloc, setValue } = mp._module;
    const top = (_malloc(STACK_BYTES) + STACK_BYTES) & ~15;
    setValue(wasm.k230_state_address(), top, "i32");
    setValue(wasm.k230_state_address() + 4, STACK_LIMIT_BYTES, "i32");
    wasm.k230_set_stack_pointer(top);
}

/** From here on MicroPython's heap cannot grow: what is left of the memory is taken, more is refused. */
function fixHeap() {
    const { _malloc, _free } = mp._module;
    WebAssembly.Memory.prototype.grow = () => {
        throw new RangeError("the board's heap does not grow");
    };
    const spare = _malloc(SPARE_BYTES);
    for (let size = 1 << 22; size >= 1024; size >>= 1) while (_malloc(size) !== 0);
    _free(spare);
}

moveStack();
const threads = new Threads({
    exports: wasm,
    imports: wasmImports,
    program: config.threadWasm,
    malloc: mp._module._malloc,
    free: mp._module._free,
});
fixHeap();

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

// What _thread.py writes here starts threads and says whose turn it is.
const threadDevice = FS.makedev(64, 1);
FS.registerDevice(threadDevice, {
    open() {},
    close() {},
    write(stream, bytes, offset, length) {
        flush();
        threads.command(Buffer.from(bytes.slice(offset, offset + length)).toString());
        return length;
    },
    llseek() {
        return 0;
    },
});
FS.mkdev("/dev/threads", 0o666, threadDevice);

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

const cardType = cardFileSystem(FS, (op, args, blob) => {
    flush();
    return call(op, args, blob);
});
for (const [name, root] of Object.entries(config.cards)) {
    FS.mkdir(name);
    FS.mount(cardType, { root, name }, name);
}

try {
    mp.runPython(config.code);
} catch (error) {
    lines(String(error.message ?? error));
}
flush();
leave();
