// The @google/genai package: content, streams, chats, functions, files,
// caches, interactions, errors.
import { GoogleGenAI } from '@google/genai';
import { assert, check, checkDim, checkTools, dimSchema, finish, model, url }
  from './harness.mjs';

const client = new GoogleGenAI({ apiKey: 'none', httpOptions: { baseUrl: url } });
const short = { seed: 1, maxOutputTokens: 16 };
const base = { model, contents: 'hi', config: short };
const declaration = { name: 'dim', description: 'Dims a lamp',
  parametersJsonSchema: dimSchema };
const forced = { ...short, maxOutputTokens: 400,
  tools: [{ functionDeclarations: [declaration] }],
  toolConfig: { functionCallingConfig: {
    mode: 'ANY', allowedFunctionNames: ['dim'] } } };

await check('content', async () => {
  const answer = await client.models.generateContent(base);
  assert.equal(typeof answer.text, 'string');
  assert.ok(['STOP', 'MAX_TOKENS'].includes(answer.candidates[0].finishReason));
  assert.ok(answer.usageMetadata.totalTokenCount > 0);
});

await check('a stream spells the same text', async () => {
  const whole = await client.models.generateContent(base);
  let text = '';
  let last;
  for await (const chunk of await client.models.generateContentStream(base)) {
    assert.ok(chunk.candidates[0].content.parts.length > 0);
    text += chunk.text ?? '';
    last = chunk;
  }
  assert.equal(text, whole.text ?? '');
  assert.deepEqual(last.candidates[0].finishReason,
    whole.candidates[0].finishReason);
});

await check('a chat keeps streamed turns in its history', async () => {
  const chat = client.chats.create({ model, config: {
    ...short, systemInstruction: 'Be brief.' } });
  for await (const chunk of await chat.sendMessageStream({ message: 'one' })) {
    assert.ok(chunk);
  }
  const history = chat.getHistory(true);
  assert.ok(history.some((content) => content.role === 'model'));
  const answer = await chat.sendMessage({ message: 'two' });
  assert.ok(answer.usageMetadata.promptTokenCount > 20);
});

await check('candidates, stop, logprobs', async () => {
  const answer = await client.models.generateContent({ ...base, config: {
    ...short, candidateCount: 2, stopSequences: ['\u00e9'], topK: 5,
    responseLogprobs: true, logprobs: 2, safetySettings: [] } });
  assert.equal(answer.candidates.length, 2);
  const { topCandidates } = answer.candidates[0].logprobsResult;
  assert.equal(topCandidates[0].candidates.length, 2);
});

await check('structured output', async () => {
  const answer = await client.models.generateContent({ ...base, config: {
    ...short, maxOutputTokens: 200, responseMimeType: 'application/json',
    responseSchema: { type: 'OBJECT', properties: {
      level: { type: 'INTEGER', minimum: 0, maximum: 9 },
      lamp: { type: 'STRING', enum: ['desk', 'hall'] } },
    required: ['level', 'lamp'], propertyOrdering: ['lamp', 'level'] } } });
  assert.ok(answer.text.startsWith('{"lamp"'), answer.text);
  checkDim(JSON.parse(answer.text));
});

await check('an enum', async () => {
  const answer = await client.models.generateContent({ ...base, config: {
    ...short, responseMimeType: 'text/x.enum',
    responseSchema: { type: 'STRING', enum: ['yes', 'no'] } } });
  assert.ok(['yes', 'no'].includes(answer.text), answer.text);
});

await checkTools('a forced function, its result, and the answer', async () => {
  const first = await client.models.generateContent({ ...base, config: forced });
  assert.ok(first.functionCalls.length >= 1);
  for (const call of first.functionCalls) checkDim(call.args);
  const contents = [{ role: 'user', parts: [{ text: 'hi' }] },
    first.candidates[0].content,
    { role: 'user', parts: first.functionCalls.map((call) => ({
      functionResponse: { id: call.id, name: call.name,
        response: { output: 'done' } } })) }];
  const second = await client.models.generateContent({ model, contents,
    config: { ...short, tools: forced.tools } });
  assert.ok(second.usageMetadata.promptTokenCount >
    first.usageMetadata.promptTokenCount);
});

await checkTools('thoughts', async () => {
  const contents = [{ role: 'user', parts: [{ text: 'hi' }] },
    { role: 'model', parts: [{ functionCall: { name: 'dim', args: {} } }] },
    { role: 'user', parts: [{ functionResponse: {
      name: 'dim', response: { output: 'done' } } }] }];
  const answer = await client.models.generateContent({ model, contents,
    config: { ...short, maxOutputTokens: 60, tools: forced.tools,
      thinkingConfig: { includeThoughts: true, thinkingBudget: 8 } } });
  assert.equal(answer.candidates[0].content.parts[0].thought, true);
  assert.ok(answer.usageMetadata.thoughtsTokenCount > 0);
});

await check('tokens and models', async () => {
  const { totalTokens } = await client.models.countTokens(base);
  const answer = await client.models.generateContent(base);
  assert.equal(totalTokens, answer.usageMetadata.promptTokenCount);
  const names = [];
  for await (const found of await client.models.list()) names.push(found.name);
  assert.ok(names.includes(`models/${model}`), names.join());
  const one = await client.models.get({ model });
  assert.ok(one.supportedActions.includes('generateContent'));
});

await check('a file of two pieces is read into the prompt', async () => {
  const text = 'word '.repeat(100);
  const file = await client.files.upload({
    file: new Blob([text], { type: 'text/plain' }),
    config: { displayName: 'notes' } });
  assert.equal(file.state, 'ACTIVE');
  const { totalTokens } = await client.models.countTokens({ model, contents: [
    { role: 'user', parts: [{ fileData: {
      fileUri: file.uri, mimeType: file.mimeType } }] }] });
  assert.ok(totalTokens > 100);
  assert.equal((await client.files.get({ name: file.name })).name, file.name);
  await client.files.delete({ name: file.name });
  // Larger than one piece of 8 MiB.
  const large = await client.files.upload({
    file: new Blob([new Uint8Array(9 << 20)], { type: 'image/png' }) });
  assert.equal(large.sizeBytes, String(9 << 20));
  await client.files.delete({ name: large.name });
});

await check('cached contents', async () => {
  const cache = await client.caches.create({ model, config: {
    ttl: '300s', systemInstruction: 'Be brief.', contents: 'a'.repeat(200) } });
  const answer = await client.models.generateContent({ ...base, config: {
    ...short, cachedContent: cache.name } });
  assert.ok(answer.usageMetadata.promptTokenCount > 20);
  await client.caches.update({ name: cache.name, config: { ttl: '600s' } });
  await client.caches.delete({ name: cache.name });
  await assert.rejects(client.caches.get({ name: cache.name }),
    (error) => error.status === 404);
});

await check('interactions', async () => {
  const first = await client.interactions.create({ model, input: 'hi',
    generation_config: { seed: 1, max_output_tokens: 8 } });
  assert.ok(['completed', 'incomplete'].includes(first.status));
  const stream = await client.interactions.create({ model, input: 'more',
    stream: true, previous_interaction_id: first.id,
    generation_config: { max_output_tokens: 8 } });
  const types = [];
  for await (const event of stream) types.push(event.event_type);
  assert.equal(types[0], 'interaction.created');
  assert.equal(types.at(-1), 'interaction.completed');
  assert.equal((await client.interactions.get(first.id)).id, first.id);
  await client.interactions.delete(first.id);
});

await check('errors', async () => {
  await assert.rejects(
    client.models.generateContent({ ...base, model: 'no-such-model' }),
    (error) => error.status === 404);
  await assert.rejects(
    client.models.generateContent({ ...base, config: { temperature: -1 } }),
    (error) => error.status === 400 && /temperature/.test(error.message));
  await assert.rejects(client.models.embedContent({ model, contents: 'x' }),
    (error) => error.status === 400);
});

await check('an aborted stream ends', async () => {
  const abort = new AbortController();
  const stream = await client.models.generateContentStream({ model,
    contents: 'hi', config: { abortSignal: abort.signal,
      maxOutputTokens: 4000, responseMimeType: 'application/json',
      // Nobody is done with this at once.
      responseJsonSchema: { type: 'array', items: { type: 'boolean' },
        minItems: 2000 } } });
  await assert.rejects(async () => {
    for await (const chunk of stream) {
      assert.ok(chunk);
      abort.abort();
    }
    throw new Error('it went on');
  }, (error) => error.message !== 'it went on');
});

finish();
