// Runs one portable check file on a MicroPython built weeks after 1.21 (the firmware's version), without any board around it.
// Usage: node run_on_2023.mjs NODE_MODULES CHECK_FILE SOURCE_FOLDER...; prints what the checks print.
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [modules, checkFile, ...folders] = process.argv.slice(2);
const interpreter = path.join(modules, 'micropython-of-2023');
const { loadMicroPython } = await import(pathToFileURL(path.join(interpreter, 'micropython.mjs')));
const vm = await loadMicroPython({
  heapsize: 16 * 1024 * 1024, // this build never collects while a script runs
  url: path.join(interpreter, 'micropython.wasm'),
  stdout: (line) => process.stdout.write(line + '\n'),
  linebuffer: true,
});

function copy(folder, target) {
  vm.FS.mkdir(target);
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const from = path.join(folder, entry.name);
    if (entry.isDirectory() && entry.name !== '__pycache__') copy(from, `${target}/${entry.name}`);
    else if (entry.name.endsWith('.py')) vm.FS.writeFile(`${target}/${entry.name}`, fs.readFileSync(from));
  }
}
for (const folder of folders) copy(folder, '/' + path.basename(folder));
const name = path.basename(checkFile, '.py');
vm.FS.writeFile(`/${name}.py`, fs.readFileSync(checkFile));
vm.runPython(`
import sys
sys.path.insert(0, "/")
import ${name}
for check in ${name}.CHECKS:
    check()
    print("ok", check.__name__)
print("all", len(${name}.CHECKS), "passed on", sys.version)
`);
