// The @anthropic-ai/sdk package: messages, streams, tools, counting, errors.
import Anthropic from '@anthropic-ai/sdk';
import { assert, check, checkDim, checkTools, dimSchema, finish, model, url }
  from './harness.mjs';

const client = new Anthropic({ baseURL: url, apiKey: 'none', maxRetries: 0 });
const base = {
  model, max_tokens: 16, seed: 1, messages: [{ role: 'user', content: 'hi' }],
};
const tools = [{ name: 'dim', description: 'Dims a lamp', input_schema: dimSchema }];

await check('a message', async () => {
  const message = await client.messages.create({ ...base, system: 'Be brief.' });
  assert.equal(message.type, 'message');
  assert.ok(['end_turn', 'max_tokens'].includes(message.stop_reason));
  assert.ok(message.usage.output_tokens >= 1);
});

await check('a stream spells the same message', async () => {
  const whole = await client.messages.create(base);
  const stream = client.messages.stream(base);
  let text = '';
  stream.on('text', (piece) => { text += piece; });
  const final = await stream.finalMessage();
  assert.deepEqual(final.content.map((b) => b.text), whole.content.map((b) => b.text));
  assert.equal(text, whole.content.map((b) => b.text).join(''));
  assert.equal(final.usage.output_tokens, whole.usage.output_tokens);
});

await checkTools('a forced tool and its round trip', async () => {
  const messages = [{ role: 'user', content: 'hi' }];
  const ask = { ...base, max_tokens: 300, messages, tools };
  const first = await client.messages.create({
    ...ask, tool_choice: { type: 'tool', name: 'dim', disable_parallel_tool_use: true },
  });
  assert.equal(first.stop_reason, 'tool_use');
  const use = first.content.find((block) => block.type === 'tool_use');
  checkDim(use.input);
  messages.push({ role: 'assistant', content: first.content });
  messages.push({
    role: 'user',
    content: [{ type: 'tool_result', tool_use_id: use.id, content: 'done' },
      { type: 'text', text: 'and?' }],
  });
  const second = await client.messages.create(
    { ...ask, max_tokens: 8, tool_choice: { type: 'none' } });
  assert.notEqual(second.stop_reason, 'tool_use');
});

await checkTools('a streamed tool use', async () => {
  const final = await client.messages.stream({
    ...base, max_tokens: 300, tools, tool_choice: { type: 'any' },
  }).finalMessage();
  for (const block of final.content.filter((b) => b.type === 'tool_use')) {
    checkDim(block.input);
  }
  assert.equal(final.stop_reason, 'tool_use');
});

await checkTools('thinking', async () => {
  const final = await client.messages.stream({
    ...base, max_tokens: 80, tools, tool_choice: { type: 'none' },
    thinking: { type: 'enabled', budget_tokens: 20 },
    messages: [{ role: 'user', content: 'hi' },
      { role: 'assistant', content: [{ type: 'tool_use', id: 't', name: 'dim', input: {} }] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't', content: 'x' }] }],
  }).finalMessage();
  if (process.env.CARAT_NOISE === '1') {
    // The prompt opens the thought, so that even noise has one.
    const [thought] = final.content;
    assert.equal(thought.type, 'thinking');
    assert.ok(thought.signature.length > 0);
  }
});

await check('structured output', async () => {
  const message = await client.messages.create({
    ...base, max_tokens: 200,
    output_config: { format: { type: 'json_schema', schema: dimSchema } },
  });
  checkDim(JSON.parse(message.content[0].text));
});

await check('tokens are counted', async () => {
  const count = await client.messages.countTokens({ model, messages: base.messages });
  const { usage } = await client.messages.create(base);
  assert.equal(count.input_tokens, usage.input_tokens + usage.cache_read_input_tokens);
});

await check('models', async () => {
  const names = [];
  for await (const entry of client.models.list()) names.push(entry.id);
  assert.ok(names.includes(model), names.join());
  assert.equal((await client.models.retrieve(model)).id, model);
});

await check('errors have their classes', async () => {
  await assert.rejects(client.messages.create({ ...base, model: 'no-such-model' }),
    Anthropic.NotFoundError);
  await assert.rejects(client.messages.create({ ...base, max_tokens: 0 }),
    Anthropic.BadRequestError);
  await assert.rejects(client.messages.create({
    ...base,
    messages: [{
      role: 'user',
      content: [{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AA==' } }],
    }],
  }), (error) => error instanceof Anthropic.BadRequestError && /image/.test(error.message));
});

finish();
