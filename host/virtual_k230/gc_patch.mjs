// Gives MicroPython's WebAssembly build a garbage collector that works while a script runs.
//
// Called once by interpreter.py as `node gc_patch.mjs BINARYEN IN.wasm OUT.wasm THREAD.wasm`; cached per input digest.
// THREAD.wasm is the same program for a second thread (threads.mjs): it takes the first one's memory and fills in nothing.
//
// The published build cannot see the roots that the WebAssembly engine keeps in its own locals, so its gc_collect()
// only notes that a collection is due and the heap grows until the script ends: a camera loop would never free
// anything and the board's 4 MiB could not be kept. Two changes mend this:
//   1. binaryen's spill-pointers pass stores every i32 that is live across a call on the shadow stack in memory;
//      `flatten` first, because operands that wait on the value stack are otherwise missed.
//   2. gc_collect() becomes a real collection: roots and pystack by the build's own gc_collect_start(), then the same
//      function once more with the pystack bounds pointed at the shadow stack, then gc_collect_end().
// Frames get larger by that, so the launcher moves the stack to a larger place: exports set_stack_pointer and the
// globals k230_state_address (start of MicroPython's thread state: stack top, stack limit, pystack start, end, cur).

import fs from "node:fs";
import { pathToFileURL } from "node:url";

const [binaryenPath, inputPath, outputPath, threadPath] = process.argv.slice(2);
const { default: binaryen } = await import(pathToFileURL(binaryenPath).href);

function must(match, what) {
    if (!match) throw new Error(`${inputPath}: ${what} not found; this MicroPython build is not the one gc_patch.mjs knows`);
    return match;
}

const original = binaryen.readBinary(fs.readFileSync(inputPath));
let text = original.emitText();
original.dispose();

// The stack pointer is the first global of an Emscripten build; the pass looks for it by this name.
must(text.match(/\(global \$global\$0 \(mut i32\) \(i32\.const \d+\)\)/), "the stack pointer");
text = text.replace(/\$global\$0\b/g, "$__stack_pointer");

// gc_collect(): the only function that does nothing but set one flag byte.
const flagSetters = [...text.matchAll(/ \(func (\$\d+)\s+\(i32\.store8 offset=(\d+)\s+\(i32\.const 0\)\s+\(i32\.const 1\)\s+\)\s+\)\n/g)];
if (flagSetters.length !== 1) must(null, "gc_collect");
const [gcCollectText, gcCollect, pendingFlag] = flagSetters[0];

// gc_collect_top_level(): clears that flag, then calls gc_collect_start() and gc_collect_end().
const [, gcStart, gcEnd] = must(
    text.match(new RegExp(`\\(i32\\.store8 offset=${pendingFlag}\\s+\\(i32\\.const 0\\)\\s+\\(i32\\.const 0\\)\\s+\\)\\s+\\(call (\\$\\d+)\\)\\s+\\(call (\\$\\d+)\\)`)),
    "gc_collect_top_level",
);

// gc_collect_start() scans pystack_cur - pystack_start words of the pystack.
const startText = text.slice(must(text.match(new RegExp(` \\(func \\${gcStart}\\n`)), "gc_collect_start").index);
const bounds = must(
    startText.match(/i32\.sub\s+\(i32\.load offset=(\d+)\s+\(i32\.const (\d+)\)\s+\)\s+\(local\.tee \$\d+\s+\(i32\.load offset=(\d+)\s+\(i32\.const (\d+)\)/),
    "the bounds of the pystack",
);
const pystackCur = Number(bounds[1]) + Number(bounds[2]);
const pystackStart = Number(bounds[3]) + Number(bounds[4]);
if (pystackCur !== pystackStart + 8) must(null, "the layout of the thread state");
const state = pystackStart - 8;

// It begins by clearing "mark stack overflowed" (and the allocation count): what the first run noted must outlive the second.
const cleared = [...startText.slice(0, startText.indexOf("(loop")).matchAll(/\(i32\.store offset=(\d+)\s+\(i32\.const (\d+)\)\s+\(i32\.const 0\)\s+\)/g)].map(
    (match) => Number(match[1]) + Number(match[2]),
);
if (cleared.length !== 2) must(null, "the flags that gc_collect_start clears");

text = text.replace(
    gcCollectText,
    ` (global $k230_waiting_stacks (mut i32) (i32.const 0))
 (func ${gcCollect} (local $start i32) (local $cur i32) (local $flag0 i32) (local $flag1 i32) (local $at i32) (local $n i32)
  (call ${gcStart})
  (local.set $flag0 (i32.load (i32.const ${cleared[0]})))
  (local.set $flag1 (i32.load (i32.const ${cleared[1]})))
  (local.set $start (i32.load (i32.const ${pystackStart})))
  (local.set $cur (i32.load (i32.const ${pystackCur})))
  (i32.store (i32.const ${pystackStart}) (global.get $__stack_pointer))
  (i32.store (i32.const ${pystackCur}) (i32.load (i32.const ${state})))
  (call ${gcStart})
  (i32.store (i32.const ${cleared[0]}) (i32.or (local.get $flag0) (i32.load (i32.const ${cleared[0]}))))
  (i32.store (i32.const ${cleared[1]}) (i32.or (local.get $flag1) (i32.load (i32.const ${cleared[1]}))))
  ;; the stacks of threads that wait: their number, then start and end of each
  (local.set $at (global.get $k230_waiting_stacks))
  (if (local.get $at) (then
   (local.set $n (i32.load (local.get $at)))
   (block $done
    (loop $next
     (br_if $done (i32.eqz (local.get $n)))
     (local.set $n (i32.sub (local.get $n) (i32.const 1)))
     (i32.store (i32.const ${pystackStart}) (i32.load offset=4 (local.get $at)))
     (i32.store (i32.const ${pystackCur}) (i32.load offset=8 (local.get $at)))
     (local.set $at (i32.add (local.get $at) (i32.const 8)))
     (local.set $flag0 (i32.or (local.get $flag0) (i32.load (i32.const ${cleared[0]}))))
     (local.set $flag1 (i32.or (local.get $flag1) (i32.load (i32.const ${cleared[1]}))))
     (call ${gcStart})
     (i32.store (i32.const ${cleared[0]}) (i32.or (local.get $flag0) (i32.load (i32.const ${cleared[0]}))))
     (i32.store (i32.const ${cleared[1]}) (i32.or (local.get $flag1) (i32.load (i32.const ${cleared[1]}))))
     (br $next)
    )
   )
  ))
  (i32.store (i32.const ${pystackStart}) (local.get $start))
  (i32.store (i32.const ${pystackCur}) (local.get $cur))
  (call ${gcEnd})
 )
 (func $k230_set_stack_pointer (param $0 i32)
  (global.set $__stack_pointer (local.get $0))
 )
 (func $k230_set_waiting_stacks (param $0 i32)
  (global.set $k230_waiting_stacks (local.get $0))
 )
 (func $k230_state_address (result i32)
  (i32.const ${state})
 )
 (export "k230_set_stack_pointer" (func $k230_set_stack_pointer))
 (export "k230_set_waiting_stacks" (func $k230_set_waiting_stacks))
 (export "k230_state_address" (func $k230_state_address))
`,
);

const features = ["MVP", "BulkMemory", "SignExt", "NontrappingFPToInt", "MutableGlobals", "ReferenceTypes", "Multivalue", "Atomics"];

function parse(wat) {
    const module = binaryen.parseText(wat);
    module.setFeatures(features.reduce((all, name) => all | binaryen.Features[name], 0));
    return module;
}

binaryen.setOptimizeLevel(2);
binaryen.setShrinkLevel(0);
const spilled = parse(text);
spilled.runPasses(["flatten", "simplify-locals-nonesting", "dce", "vacuum", "coalesce-locals", "reorder-locals", "vacuum", "spill-pointers"]);
text = spilled.emitText();
spilled.dispose();

// A new frame would hold what earlier calls left there, and the collector would take that for live pointers: clear it.
let nCleared = 0;
text = text.replace(
    /(\n \(func [^\n]*(?:\n  \(local [^\n]*)*)\n  \(global\.set \$__stack_pointer\s+\(local\.tee (\$\d+)\s+\(i32\.sub\s+\(global\.get \$__stack_pointer\)\s+\(i32\.const (\d+)\)\s+\)\s+\)\s+\)/g,
    (whole, start, local, size) => {
        nCleared += 1;
        const bytes = Number(size);
        if (bytes > 64) return `${whole}\n  (memory.fill (local.get ${local}) (i32.const 0) (i32.const ${bytes}))`;
        const stores = [];
        for (let at = 0; at < bytes; at += 8) stores.push(`(i64.store offset=${at} align=4 (local.get ${local}) (i64.const 0))`);
        return `${whole}\n  ${stores.join(" ")}`;
    },
);
if (nCleared < 100) must(null, "the frames that spill-pointers makes");

// Threads share the memory; the one of a second thread is given to it, with everything in it already.
const memory = must(text.match(/\n \(memory (\$\S+) (\d+) (\d+)\)\n/), "the memory");
const sharedText = text.replace(memory[0], `\n (memory ${memory[1]} ${memory[2]} ${memory[3]} shared)\n`);
const threadText = text
    .replace(memory[0], "\n")
    .replace(/^\(module[^\n]*\n/, (line) => `${line} (import "env" "memory" (memory ${memory[1]} ${memory[2]} ${memory[3]} shared))\n`)
    .split("\n")
    .filter((line) => !line.startsWith(" (data "))
    .join("\n");

function write(wat, path) {
    const module = parse(wat);
    module.optimize();
    if (!module.validate()) throw new Error(`${inputPath}: the patched module is not valid WebAssembly`);
    const temporary = `${path}.${process.pid}.part`;
    fs.writeFileSync(temporary, module.emitBinary());
    fs.renameSync(temporary, path);
    module.dispose();
}

write(threadText, threadPath);
write(sharedText, outputPath);
