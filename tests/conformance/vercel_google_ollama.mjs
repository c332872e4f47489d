// The ai package over its Google and Ollama providers.
import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { generateText, jsonSchema, Output, stepCountIs, streamText, tool }
  from 'ai';
import { createOllama } from 'ollama-ai-provider-v2';
import { assert, check, checkDim, checkTools, dimSchema, finish, model, url }
  from './harness.mjs';

const providers = {
  google: createGoogleGenerativeAI({ baseURL: `${url}/v1beta`, apiKey: 'none' }),
  ollama: createOllama({ baseURL: `${url}/api` }),
};
const base = { prompt: 'hi', maxOutputTokens: 16, seed: 1, maxRetries: 0 };

for (const [name, provider] of Object.entries(providers)) {
  // The Ollama provider takes settings of sampling from its own options only.
  const options = { ...base, model: provider(model), providerOptions: {
    ollama: { options: { num_predict: 16, seed: 1 } } } };

  await check(`${name}: text and stream`, async () => {
    const whole = await generateText(options);
    let text = '';
    const stream = streamText(options);
    for await (const piece of stream.textStream) text += piece;
    assert.equal(text, whole.text);
    assert.ok(whole.usage.outputTokens >= 1);
  });

  await check(`${name}: structured output`, async () => {
    const { output } = await generateText({ ...options, maxOutputTokens: 200,
      providerOptions: {},
      output: Output.object({ schema: jsonSchema(dimSchema) }) });
    checkDim(output);
  });
}

await checkTools('google: a forced tool, run, and the answer', async () => {
  let ran = 0;
  const dim = tool({ description: 'Dims a lamp',
    inputSchema: jsonSchema(dimSchema),
    execute: async (input) => {
      checkDim(input);
      ran += 1;
      return 'done';
    } });
  const { steps } = await generateText({ ...base, maxOutputTokens: 300,
    model: providers.google(model), tools: { dim }, stopWhen: stepCountIs(2),
    prepareStep: ({ stepNumber }) => ({
      toolChoice: stepNumber === 0 ? 'required' : 'none' }) });
  assert.ok(ran >= 1);
  assert.equal(steps.length, 2);
});

finish();
