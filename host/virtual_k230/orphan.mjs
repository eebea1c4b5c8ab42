// What the child does when its parent is gone without a word: the parent's temporary folders go, and so does the child.
//
// As a worker it watches a pipe that nobody writes to: reading ends when the parent has ended, however busy the script is.

import fs from "node:fs";
import { isMainThread, workerData } from "node:worker_threads";

export function removeAndLeave(folders) {
    for (const folder of folders) {
        try {
            fs.rmSync(folder, { recursive: true, force: true });
        } catch (error) {
            console.error(`virtual K230: ${folder} stays: ${error.message}`);
        }
    }
    process.kill(process.pid, "SIGKILL");
}

if (!isMainThread && workerData?.watchFd !== undefined) {
    fs.readSync(workerData.watchFd, Buffer.alloc(1));
    removeAndLeave(workerData.temporary);
}
