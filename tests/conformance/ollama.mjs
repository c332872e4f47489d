// The ollama package: chat, generate, tools, formats, models, errors.
import { Ollama } from 'ollama';
import { assert, check, checkDim, checkTools, dimSchema, finish, hasTools,
  model, url } from './harness.mjs';

const client = new Ollama({ host: url });
const options = { seed: 1, num_predict: 16 };
const messages = [{ role: 'user', content: 'hi' }];
const base = { model, messages, options, think: false };
// Nobody is done with this at once.
const long = { type: 'array', items: { type: 'boolean' }, minItems: 2000 };
const tools = [{ type: 'function', function: {
  name: 'dim', description: 'Dims a lamp', parameters: dimSchema } }];

await check('chat', async () => {
  const answer = await client.chat(base);
  assert.equal(typeof answer.message.content, 'string');
  assert.ok(['stop', 'length'].includes(answer.done_reason));
  assert.ok(answer.eval_count >= 1 && answer.total_duration > 0);
});

await check('a stream spells the same text', async () => {
  const whole = await client.chat(base);
  let text = '';
  let last;
  for await (const chunk of await client.chat({ ...base, stream: true })) {
    text += chunk.message.content;
    last = chunk;
  }
  assert.equal(text, whole.message.content);
  assert.ok(last.done && last.eval_count === whole.eval_count);
});

await check('structured output', async () => {
  const answer = await client.chat({ ...base, format: dimSchema,
    options: { seed: 1, num_predict: 200 } });
  checkDim(JSON.parse(answer.message.content));
});

await check('generate, and going on from its context', async () => {
  const first = await client.generate({ model, prompt: 'one', think: false,
    system: 'Be brief.', options });
  const second = await client.generate({ model, prompt: 'two', think: false,
    context: first.context, options });
  assert.ok(second.prompt_eval_count > first.prompt_eval_count);
  const raw = await client.generate({ model, prompt: 'one', raw: true, options });
  assert.equal(typeof raw.response, 'string');
});

await check('logprobs', async () => {
  const answer = await client.chat({ ...base, logprobs: true, top_logprobs: 2 });
  for (const entry of answer.logprobs) {
    assert.equal(entry.top_logprobs.length, 2);
  }
});

await checkTools('a tool round trip with two results', async () => {
  const call = (level) => ({ function: { name: 'dim', arguments: { level } } });
  const answer = await client.chat({ ...base, tools, messages: [...messages,
    { role: 'assistant', content: '', tool_calls: [call(1), call(2)] },
    { role: 'tool', tool_name: 'dim', content: 'one' },
    { role: 'tool', tool_name: 'dim', content: 'two' }] });
  assert.ok(answer.done);
});

await check('thinking', async () => {
  const asked = client.chat({ ...base, think: true });
  if (hasTools) {
    assert.ok((await asked).done);
  } else {
    await assert.rejects(asked, /does not support thinking/);
  }
});

await check('models', async () => {
  const { models } = await client.list();
  assert.ok(models.some((found) => found.name === model));
  const shown = await client.show({ model });
  assert.ok(shown.capabilities.includes('completion'));
  const context = Object.entries(shown.model_info)
    .find(([key]) => key.endsWith('.context_length'));
  assert.ok(context[1] > 0);
  const running = await client.ps();
  assert.ok(running.models[0].context_length > 0);
  assert.ok((await client.version()).version);
});

const repo = process.env.CARAT_PULL;
if (repo) {  // a server that runs already may not download
  await check('pull with progress, and delete', async () => {
    const lines = [];
    for await (const line of await client.pull({ model: repo, stream: true })) {
      lines.push(line);
    }
    assert.equal(lines[0].status, 'pulling manifest');
    assert.equal(lines.at(-1).status, 'success');
    const sized = lines.filter((line) => line.digest);
    assert.match(sized.at(-1).status, /^pulling [0-9a-f]{12}$/);
    assert.equal(sized.at(-1).completed, sized.at(-1).total);
    assert.equal((await client.pull({ model: repo })).status, 'success');
    await client.delete({ model: repo });
    const { models } = await client.list();
    assert.ok(!models.some((found) => found.name.startsWith(repo)));
    await assert.rejects(client.pull({ model: 'org/none' }), /does not exist/);
  });
}

await check('errors', async () => {
  await assert.rejects(client.chat({ ...base, model: 'no-such-model' }),
    (error) => error.status_code === 404 && /not found/.test(error.message));
  await assert.rejects(client.chat({ ...base, options: { top_k: 'x' } }),
    (error) => error.status_code === 400);
  await assert.rejects(client.embed({ model, input: 'x' }),
    /does not support embeddings/);
  await assert.rejects(client.chat({ ...base, messages: [
    { role: 'user', content: 'x', images: ['aGk='] }] }), /images\[0\]/);
});

await check('an aborted stream ends', async () => {
  const stream = await client.chat({ ...base, stream: true,
    options: { num_predict: 4000 }, format: long });
  await assert.rejects(async () => {
    for await (const chunk of stream) {
      assert.ok(chunk);
      stream.abort();
    }
    throw new Error('it went on');
  }, (error) => error.message !== 'it went on');
});

finish();
