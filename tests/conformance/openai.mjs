// The openai package: chat, completions, responses, models, errors.
import OpenAI from 'openai';
import { assert, check, checkDim, checkTools, dimSchema, finish, model, url }
  from './harness.mjs';

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
const user = (content) => ({ role: 'user', content });
const base = { model, messages: [user('hi')], seed: 1, max_tokens: 16 };
const tools = [{
  type: 'function',
  function: { name: 'dim', description: 'Dims a lamp', parameters: dimSchema },
}];

await check('chat', async () => {
  const answer = await client.chat.completions.create(base);
  assert.equal(typeof answer.choices[0].message.content, 'string');
  assert.ok(['stop', 'length'].includes(answer.choices[0].finish_reason));
  assert.ok(answer.usage.completion_tokens >= 1);
});

await check('a stream spells the same text', async () => {
  const whole = await client.chat.completions.create(base);
  const stream = await client.chat.completions.create({
    ...base, stream: true, stream_options: { include_usage: true },
  });
  let text = '';
  let usage = null;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? '';
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, whole.choices[0].message.content);
  assert.equal(usage.completion_tokens, whole.usage.completion_tokens);
});

await check('two turns, the second from the cache', async () => {
  const messages = [{ role: 'system', content: 'Be brief.' }, user('a'.repeat(300))];
  const first = await client.chat.completions.create({ ...base, messages });
  messages.push(first.choices[0].message, user('more'));
  const second = await client.chat.completions.create({ ...base, messages });
  assert.ok(second.usage.prompt_tokens > first.usage.prompt_tokens);
  assert.ok(second.usage.prompt_tokens_details.cached_tokens > 0);
});

await check('choices, stop, logprobs, bias', async () => {
  const answer = await client.chat.completions.create({
    ...base, n: 2, logprobs: true, top_logprobs: 2, stop: ['\u00e9'],
    logit_bias: { 5: -100 },
  });
  assert.equal(answer.choices.length, 2);
  for (const entry of answer.choices[0].logprobs.content) {
    assert.equal(entry.top_logprobs.length, 2);
  }
});

await check('structured output', async () => {
  const answer = await client.chat.completions.create({
    ...base, max_tokens: 200,
    response_format: {
      type: 'json_schema',
      json_schema: { name: 'dim', strict: true, schema: dimSchema },
    },
  });
  checkDim(JSON.parse(answer.choices[0].message.content));
});

await checkTools('a forced call and its round trip', async () => {
  const messages = [user('hi')];
  const ask = { ...base, max_tokens: 300, messages, tools, tool_choice: 'required' };
  const first = await client.chat.completions.create(ask);
  const { message, finish_reason } = first.choices[0];
  assert.equal(finish_reason, 'tool_calls');
  for (const call of message.tool_calls) checkDim(JSON.parse(call.function.arguments));
  messages.push(message);
  for (const call of message.tool_calls) {
    messages.push({ role: 'tool', tool_call_id: call.id, content: 'done' });
  }
  const second = await client.chat.completions.create(
    { ...ask, tool_choice: 'none', max_tokens: 8 });
  assert.equal(second.choices[0].message.tool_calls, undefined);
});

await checkTools('a streamed call through the helper', async () => {
  const runner = client.chat.completions.stream({
    ...base, max_tokens: 300, tools, parallel_tool_calls: false,
    tool_choice: { type: 'function', function: { name: 'dim' } },
  });
  const final = await runner.finalChatCompletion();
  const [call] = final.choices[0].message.tool_calls;
  assert.equal(call.function.name, 'dim');
  checkDim(JSON.parse(call.function.arguments));
});

await check('completions', async () => {
  const ask = { model, prompt: 'the', seed: 1, max_tokens: 8 };
  const whole = await client.completions.create(ask);
  let text = '';
  for await (const chunk of await client.completions.create({ ...ask, stream: true })) {
    text += chunk.choices[0]?.text ?? '';
  }
  assert.equal(text, whole.choices[0].text);
});

await check('responses, stored and gone on from', async () => {
  const ask = { model, input: 'hi', max_output_tokens: 16, seed: 1 };
  const first = await client.responses.create(ask);
  assert.equal(typeof first.output_text, 'string');
  const second = await client.responses.create(
    { ...ask, input: 'more', previous_response_id: first.id });
  assert.ok(second.usage.input_tokens > first.usage.input_tokens);
  const again = await client.responses.retrieve(first.id);
  assert.equal(again.output_text, first.output_text);
  await client.responses.delete(first.id);
  await assert.rejects(client.responses.retrieve(first.id), OpenAI.NotFoundError);
});

await check('a stream of a response through the helper', async () => {
  const stream = client.responses.stream(
    { model, input: 'hi', max_output_tokens: 16, seed: 1 });
  let text = '';
  stream.on('response.output_text.delta', (event) => { text += event.delta; });
  const final = await stream.finalResponse();
  assert.equal(final.output_text, text);
});

await checkTools('a call as an item of a response', async () => {
  const stream = client.responses.stream({
    model, input: 'hi', max_output_tokens: 300, parallel_tool_calls: false,
    tool_choice: 'required', seed: 1,
    tools: [{ type: 'function', name: 'dim', parameters: dimSchema, strict: true }],
  });
  const final = await stream.finalResponse();
  const call = final.output.find((item) => item.type === 'function_call');
  checkDim(JSON.parse(call.arguments));
});

await check('models', async () => {
  const names = [];
  for await (const entry of client.models.list()) names.push(entry.id);
  assert.ok(names.includes(model), names.join());
  assert.equal((await client.models.retrieve(model)).id, model);
});

await check('errors have their classes', async () => {
  await assert.rejects(
    client.chat.completions.create({ ...base, model: 'no-such-model' }),
    OpenAI.NotFoundError);
  await assert.rejects(
    client.chat.completions.create({ ...base, temperature: -1 }),
    OpenAI.BadRequestError);
  await assert.rejects(client.embeddings.create({ model, input: 'x' }),
    OpenAI.BadRequestError);
  const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,AA==' } };
  await assert.rejects(
    client.chat.completions.create({ ...base, messages: [user([image])] }),
    (error) => error instanceof OpenAI.BadRequestError && /image/.test(error.message));
});

await check('a stream can be left', async () => {
  const stream = await client.chat.completions.create(
    { ...base, max_tokens: 4000, stream: true });
  let chunks = 0;
  for await (const chunk of stream) {
    chunks += chunk.choices.length;
    if (chunks > 3) break;
  }
  assert.ok(chunks >= 1);
});

finish();
