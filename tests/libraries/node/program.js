// Every program here is run as: node PROGRAM.js HOST PORT, with an empty server, and prints ok when all held.
'use strict';

const assert = require('node:assert/strict');

const connection = {host: process.argv[2], port: Number(process.argv[3])};
const DEADLINE = 120_000; // milliseconds

// until waits until something holds, and returns it.
async function until(condition, what) {
  for (const end = Date.now() + DEADLINE; ;) {
    const value = await condition();
    if (value) return value;
    assert(Date.now() < end, `never: ${what}`);
    await new Promise((go) => setTimeout(go, 5));
  }
}

// program runs main, with a deadline, and ends the process by what came of it.
function program(main) {
  const late = setTimeout(() => {
    console.error('still running after the deadline');
    process.exit(1);
  }, 2 * DEADLINE);
  main().then(() => {
    console.log('ok');
    clearTimeout(late);
    process.exit(0);
  }, (error) => {
    console.error(error);
    process.exit(1);
  });
}

module.exports = {assert, connection, until, program};
