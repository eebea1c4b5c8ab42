// /sdcard and /data inside the interpreter: an Emscripten file system over real folders of this PC.
//
// Reading goes straight to the folder; everything that changes the card is asked of the Python side (card.py), which
// holds the rules: FAT's refusals, capacity, locked files, power cuts. Names are found whatever their case.

import fs from "node:fs";
import path from "node:path";

/** Linux error numbers by Node's code: what the board's MicroPython shows. */
const ERRNO = { EPERM: 1, ENOENT: 2, EIO: 5, EBADF: 9, EACCES: 13, EBUSY: 16, EEXIST: 17, ENOTDIR: 20, EISDIR: 21, EINVAL: 22, EMFILE: 24, EFBIG: 27, ENOSPC: 28, EROFS: 30, ENAMETOOLONG: 36, ENOTEMPTY: 39 };

/** WASI error numbers (what Emscripten raises) to Linux ones. */
const LINUX_OF_WASI = { 2: 13, 6: 11, 8: 9, 10: 16, 20: 17, 22: 27, 28: 22, 29: 5, 31: 21, 32: 40, 33: 24, 37: 36, 43: 19, 44: 2, 48: 12, 51: 28, 52: 38, 54: 20, 55: 39, 59: 25, 60: 6, 63: 1, 64: 32, 69: 30, 70: 29, 75: 18 };

const WASI_OF_LINUX = Object.fromEntries(Object.entries(LINUX_OF_WASI).map(([wasi, linux]) => [linux, Number(wasi)]));

/**
 * Wrap the system calls among a module's imports so that the interpreter sees Linux error numbers, as on the board,
 * while Emscripten's file system keeps its own.
 */
export function useLinuxErrorNumbers(imports) {
    for (const [name, syscall] of Object.entries(imports.env)) {
        if (!name.startsWith("__syscall_")) continue;
        imports.env[name] = (...args) => {
            const result = syscall(...args);
            return result < 0 ? -(LINUX_OF_WASI[-result] ?? -result) : result;
        };
    }
    const wasi = imports.wasi_snapshot_preview1;
    for (const name of ["fd_read", "fd_write", "fd_close", "fd_seek", "fd_sync"]) {
        const call = wasi[name];
        if (call) wasi[name] = (...args) => { const code = call(...args); return code ? (LINUX_OF_WASI[code] ?? code) : 0; };
    }
}

/**
 * A file system type for FS.mount(type, {root, name}, mountPoint).
 * `call(op, args, blob)` is a hardware call returning [reply, blob].
 */
export function cardFileSystem(FS, call) {
    class CardError extends FS.ErrnoError {
        constructor(linuxNumber) {
            super(WASI_OF_LINUX[linuxNumber] ?? 29);
        }
    }

    function local(operation) {
        try {
            return operation();
        } catch (error) {
            if (error.code === undefined) throw error;
            throw new CardError(ERRNO[error.code] ?? 5);
        }
    }

    function ask(op, args, blob) {
        const [reply] = call(op, args, blob);
        if (reply.length > 1) throw new CardError(typeof reply[2]?.[0] === "number" ? reply[2][0] : 5);
        return reply[0];
    }

    function boardPath(node) {
        const parts = [];
        for (; node.parent !== node; node = node.parent) parts.push(node.name);
        return [node.mount.opts.name, ...parts.reverse()].join("/");
    }

    /** Real path of a child, found without regard to case; null when there is none. */
    function findChild(folder, name) {
        const exact = path.join(folder, name);
        if (fs.existsSync(exact)) return exact;
        const wanted = name.toLowerCase();
        let names;
        try {
            names = fs.readdirSync(folder);
        } catch {
            return null;
        }
        const found = names.find((other) => other.toLowerCase() === wanted);
        return found === undefined ? null : path.join(folder, found);
    }

    function realPath(node) {
        if (node.parent === node) return node.mount.opts.root;
        const folder = realPath(node.parent);
        return findChild(folder, node.name) ?? path.join(folder, node.name);
    }

    function makeNode(parent, name, mode) {
        const node = FS.createNode(parent, name, mode, 0);
        node.node_ops = nodeOps;
        node.stream_ops = streamOps;
        return node;
    }

    const modeOf = (stat) => (stat.isDirectory() ? 0o40777 : 0o100666);

    const nodeOps = {
        getattr(node) {
            const stat = local(() => fs.statSync(realPath(node)));
            node.mode = modeOf(stat);
            return { dev: 1, ino: node.id, mode: node.mode, nlink: 1, uid: 0, gid: 0, rdev: 0, size: stat.isDirectory() ? 0 : stat.size, atime: stat.mtime, mtime: stat.mtime, ctime: stat.mtime, blksize: 4096, blocks: Math.ceil(stat.size / 512) };
        },
        setattr(node, attr) {
            if (attr.size !== undefined) ask("card.truncate", [boardPath(node), attr.size]);
        },
        lookup(parent, name) {
            const real = findChild(realPath(parent), name);
            if (real === null) throw new CardError(ERRNO.ENOENT);
            return makeNode(parent, name, modeOf(local(() => fs.statSync(real))));
        },
        mknod(parent, name, mode) {
            const node = makeNode(parent, name, mode);
            try {
                ask(FS.isDir(mode) ? "card.mkdir" : "card.create", [boardPath(node)]);
            } catch (error) {
                FS.destroyNode(node);
                throw error;
            }
            return node;
        },
        rename(node, newFolder, newName) {
            ask("card.rename", [boardPath(node), `${boardPath(newFolder)}/${newName}`]);
            node.name = newName;
        },
        unlink(parent, name) {
            ask("card.remove", [`${boardPath(parent)}/${name}`]);
        },
        rmdir(parent, name) {
            ask("card.rmdir", [`${boardPath(parent)}/${name}`]);
        },
        readdir(node) {
            return [".", "..", ...local(() => fs.readdirSync(realPath(node)))];
        },
    };

    const O_ACCMODE = 3;

    /** So much the interpreter asks for at a time when it compiles a module's file; scripts read in other portions. */
    const IMPORT_READ_BYTES = 25;

    const streamOps = {
        open(stream) {
            if (FS.isDir(stream.node.mode)) return;
            stream.boardPath = boardPath(stream.node);
            if (stream.flags & O_ACCMODE) ask("card.open_for_writing", [stream.boardPath]);
            stream.realFd = local(() => fs.openSync(realPath(stream.node), "r"));
        },
        close(stream) {
            if (stream.realFd !== undefined) fs.closeSync(stream.realFd);
            if (stream.boardPath !== undefined && stream.flags & O_ACCMODE) ask("card.close", [stream.boardPath]);
        },
        read(stream, bytes, offset, length, position) {
            if (position === 0 && length === IMPORT_READ_BYTES && /\.m?py$/i.test(stream.boardPath)) ask("card.imported", [stream.boardPath]);
            return local(() => fs.readSync(stream.realFd, bytes, offset, length, position));
        },
        write(stream, bytes, offset, length, position) {
            return ask("card.write", [stream.boardPath, position], Buffer.from(bytes.slice(offset, offset + length)));
        },
        llseek(stream, offset, whence) {
            let position = offset;
            if (whence === 1) position += stream.position;
            else if (whence === 2) position += local(() => fs.fstatSync(stream.realFd)).size;
            if (position < 0) throw new CardError(ERRNO.EINVAL);
            return position;
        },
        fsync() {},
    };

    return {
        mount(mount) {
            const root = FS.createNode(null, "/", 0o40777, 0);
            root.node_ops = nodeOps;
            root.stream_ops = streamOps;
            return root;
        },
        syncfs(mount, populate, callback) {
            callback(null);
        },
    };
}
