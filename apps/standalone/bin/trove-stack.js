#!/usr/bin/env node
var major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  console.error(
    'trove-stack needs Node 24 or newer; this is ' +
      process.version +
      '. Start it with `npx trove-stack` in the checkout, where npm ci has put the right one.',
  );
  process.exitCode = 1;
} else {
  import('../src/compose/main.ts');
}
