// One further thread of the script (see threads.mjs): an instance of the interpreter on the shared memory.

import { workerData, receiveMessageOnPort } from "node:worker_threads";

const { module, memory, bell, port, top, waiting, source, length, result } = workerData;
let exports;

/** The next message of the first thread; this thread has its turn from then on. */
function hear() {
    for (;;) {
        const seen = Atomics.load(bell, 0);
        const message = receiveMessageOnPort(port);
        if (message) return message.message;
        Atomics.wait(bell, 0, seen);
    }
}

function tell(message) {
    port.postMessage(message);
    Atomics.add(bell, 1, 1);
    Atomics.notify(bell, 1);
}

const imports = {};
for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    imports[from] ??= {};
    if (kind !== "function") {
        imports[from][name] = memory;
    } else if (name.startsWith("invoke_")) {
        // Emscripten's try block: an exception that is a number is a longjmp()
        imports[from][name] = (index, ...args) => {
            const stackPointer = exports.emscripten_stack_get_current();
            try {
                return exports.__indirect_function_table.get(index)(...args);
            } catch (error) {
                exports._emscripten_stack_restore(stackPointer);
                if (error !== error + 0) throw error;
                exports.setThrew(1, 0);
            }
        };
    } else if (name === "_emscripten_throw_longjmp") {
        imports[from][name] = () => {
            throw Infinity;
        };
    } else {
        imports[from][name] = (...args) => {
            tell({ module: from, name, args, stackPointer: exports.emscripten_stack_get_current() });
            return hear().value;
        };
    }
}

exports = new WebAssembly.Instance(module, imports).exports;
exports.k230_set_stack_pointer(top);
exports.k230_set_waiting_stacks(waiting);
tell({ ready: true });
hear();
exports.mp_js_do_exec(source, length, result);
tell({ ended: true });
