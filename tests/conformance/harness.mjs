// The little that the Node scripts share: named checks, one line each, and a
// closing line that run.py adds up. The server is at CARAT_URL, the model is
// CARAT_MODEL. CARAT_TOOLS=0: the model knows no tools.
import assert from 'node:assert/strict';

export { assert };
export const url = process.env.CARAT_URL;
export const model = process.env.CARAT_MODEL;
export const hasTools = process.env.CARAT_TOOLS !== '0';

let passed = 0;
let failed = 0;
let skipped = 0;

export async function check(name, body) {
  try {
    await body();
    passed += 1;
  } catch (error) {
    failed += 1;
    console.log(`FAILED ${name}\n${error?.stack ?? error}`);
  }
}

// As check, on models with tools only.
export async function checkTools(name, body) {
  if (hasTools) return check(name, body);
  skipped += 1;
}

export function finish() {
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  process.exit(failed === 0 ? 0 : 1);
}

// The schema that tool checks force: whatever the model prefers, a call under
// it has these types.
export const dimSchema = {
  type: 'object',
  properties: {
    level: { type: 'integer', minimum: 0, maximum: 9 },
    lamp: { type: 'string', enum: ['desk', 'hall'] },
  },
  required: ['level', 'lamp'],
  additionalProperties: false,
};

export function checkDim(value) {
  assert.ok(Number.isInteger(value.level), JSON.stringify(value));
  assert.ok(['desk', 'hall'].includes(value.lamp), JSON.stringify(value));
}
