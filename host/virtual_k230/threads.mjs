// Threads of the script on the virtual board: each has its own stack in a Node worker, all share one MicroPython.
//
// The interpreter is one WebAssembly memory. A second thread is a second instance of the program (gc_patch.mjs makes the
// variant) in a worker, over the same memory. Exactly one thread runs at a time: this is the board's global interpreter
// lock, handed over only when _thread.py says so (between hardware calls, in sleeps, for locks). What a waiting thread
// has on its stacks is told to the garbage collector. Everything that an instance imports, files above all, is
// done by the first thread's JavaScript, which serves the others while they run.

import fs from "node:fs";
import { Worker, MessageChannel, receiveMessageOnPort } from "node:worker_threads";

const MOST_THREADS = 8;
const STACK_BYTES = 192 * 1024;
const STACK_LIMIT_BYTES = 112 * 1024;
const PYSTACK_BYTES = 32 * 1024;
const SOURCE_BYTES = 128;
const WORKER_STACK_MB = 4;

// Words of MicroPython's thread state (mp_state_thread_t of a build without threads) that belong to one thread.
const STATE_WORDS = 12;
const [STACK_TOP, STACK_LIMIT, PYSTACK_START, PYSTACK_END, PYSTACK_CUR, GC_LOCK, LOCALS, GLOBALS, NLR_TOP, NLR_CALLBACKS, PENDING] = Array(STATE_WORDS).keys();

export class Threads {
    /** `exports`, `imports`: of the first instance; `program`: path of the variant; malloc and free: of the first instance. */
    constructor({ exports, imports, program, malloc, free }) {
        this.exports = exports;
        this.imports = imports;
        this.program = program;
        this.current = 0;
        this.wanted = 0;
        this.threads = new Map([[0, { state: null, stacks: null }]]);
        this.free = [];
        for (let i = 0; i < MOST_THREADS; i++) {
            this.free.push({ stack: malloc(STACK_BYTES), pystack: malloc(PYSTACK_BYTES), source: malloc(SOURCE_BYTES) });
        }
        this.waiting = malloc(4 + 16 * (MOST_THREADS + 1));
        this.result = malloc(64);
        this.words()[this.waiting >> 2] = 0;
        exports.k230_set_waiting_stacks(this.waiting);
    }

    words() {
        return new Int32Array(this.exports.memory.buffer);
    }

    /** "new N": make thread N ready, "to N": N's turn. Returns when it is the caller's turn again. */
    command(text) {
        const [verb, number] = text.split(" ");
        if (verb === "new") this.make(Number(number));
        else this.wanted = Number(number);
        if (this.current === 0 && this.wanted !== 0) {
            this.handOver(this.exports.emscripten_stack_get_current());
            this.serve();
        }
    }

    make(number) {
        const space = this.free.pop();
        this.module ??= new WebAssembly.Module(fs.readFileSync(this.program));
        const words = this.words();
        const at = this.exports.k230_state_address() >> 2;
        const state = words.slice(at, at + STATE_WORDS);
        const top = (space.stack + STACK_BYTES) & ~15;
        state[STACK_TOP] = top;
        state[STACK_LIMIT] = STACK_LIMIT_BYTES;
        state[PYSTACK_START] = state[PYSTACK_CUR] = space.pystack;
        state[PYSTACK_END] = space.pystack + PYSTACK_BYTES;
        state[GC_LOCK] = state[NLR_TOP] = state[NLR_CALLBACKS] = 0;
        const source = Buffer.from(`import _thread\n_thread._enter(${number})\n`);
        new Uint8Array(this.exports.memory.buffer).set(source, space.source);
        const { port1, port2 } = new MessageChannel();
        const bell = new Int32Array(new SharedArrayBuffer(8)); // [for the worker, for us]
        const worker = new Worker(new URL("./thread_worker.mjs", import.meta.url), {
            workerData: {
                module: this.module, memory: this.exports.memory, bell, port: port2, top, waiting: this.waiting,
                source: space.source, length: source.length, result: this.result,
            },
            transferList: [port2],
            resourceLimits: { stackSizeMb: WORKER_STACK_MB },
        });
        worker.unref();
        const thread = { worker, port: port1, bell, space, state, stacks: [], reply: { begin: true } };
        this.threads.set(number, thread);
        this.hear(thread); // it has started: what follows takes no longer than on the board
    }

    /** Keep what the running thread has, and give the interpreter to `wanted`. `stackPointer`: of the running thread. */
    handOver(stackPointer) {
        const words = this.words();
        const at = this.exports.k230_state_address() >> 2;
        const leaving = this.threads.get(this.current);
        if (leaving) {
            leaving.state = words.slice(at, at + STATE_WORDS);
            leaving.stacks = [stackPointer, leaving.state[STACK_TOP], leaving.state[PYSTACK_START], leaving.state[PYSTACK_CUR]];
        }
        this.current = this.wanted;
        const entering = this.threads.get(this.current);
        for (let i = 0; i < STATE_WORDS; i++) if (i !== PENDING) words[at + i] = entering.state[i];
        const ranges = [];
        for (const [number, thread] of this.threads) if (number !== this.current) ranges.push(...thread.stacks);
        words[this.waiting >> 2] = ranges.length / 2;
        words.set(ranges, (this.waiting >> 2) + 1);
    }

    /** Let the other threads run, doing for them what their instances import, until it is the first thread's turn. */
    serve() {
        while (this.current !== 0) {
            const thread = this.threads.get(this.current);
            if (thread.reply) {
                thread.port.postMessage(thread.reply);
                thread.reply = null;
                Atomics.add(thread.bell, 0, 1);
                Atomics.notify(thread.bell, 0);
            }
            const asked = this.hear(thread);
            if (asked.ended) {
                this.free.push(thread.space);
                this.threads.delete(this.current);
                this.wanted = 0;
                this.handOver(0);
                continue;
            }
            const value = this.imports[asked.module][asked.name](...asked.args);
            thread.reply = { value };
            if (this.wanted !== this.current) this.handOver(asked.stackPointer);
        }
    }

    hear(thread) {
        for (;;) {
            const seen = Atomics.load(thread.bell, 1);
            const message = receiveMessageOnPort(thread.port);
            if (message) return message.message;
            Atomics.wait(thread.bell, 1, seen);
        }
    }
}
