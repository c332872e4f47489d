// The providers of the Vercel AI SDK for OpenAI (responses and chat),
// OpenAI-compatible servers and Anthropic: text, stream, object, tools.
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, jsonSchema, Output, stepCountIs, streamText, tool } from 'ai';
import { assert, check, checkDim, checkTools, dimSchema, finish, model, url }
  from './harness.mjs';

globalThis.AI_SDK_LOG_WARNINGS = false;
const openai = createOpenAI({ baseURL: `${url}/v1`, apiKey: 'none' });
const compatible = createOpenAICompatible({
  name: 'carat', baseURL: `${url}/v1`, includeUsage: true,
  supportsStructuredOutputs: true,
});
const anthropic = createAnthropic({ baseURL: `${url}/v1`, apiKey: 'none' });
const models = {
  'openai responses': openai(model),
  'openai chat': openai.chat(model),
  'openai-compatible': compatible(model),
  anthropic: anthropic(model),
};

for (const [name, one] of Object.entries(models)) {
  const base = { model: one, prompt: 'hi', maxOutputTokens: 32, maxRetries: 0 };

  await check(`${name}: text`, async () => {
    const { text, usage } = await generateText(base);
    assert.equal(typeof text, 'string');
    assert.ok(usage.outputTokens >= 1);
  });

  await check(`${name}: stream`, async () => {
    const result = streamText({ ...base, onError: ({ error }) => { throw error; } });
    for await (const piece of result.textStream) assert.equal(typeof piece, 'string');
    assert.ok(['stop', 'length'].includes(await result.finishReason));
    assert.ok((await result.usage).inputTokens > 0);
  });

  // The Anthropic provider asks for objects through a tool.
  const checkObject = name === 'anthropic' ? checkTools : check;
  await checkObject(`${name}: object`, async () => {
    const { output } = await generateText({
      ...base, maxOutputTokens: 200,
      output: Output.object({ schema: jsonSchema(dimSchema) }),
    });
    checkDim(output);
  });

  await checkTools(`${name}: a tool and the step behind it`, async () => {
    const calls = [];
    const dim = tool({
      description: 'Dims a lamp',
      inputSchema: jsonSchema(dimSchema),
      execute: async (input) => { calls.push(input); return 'done'; },
    });
    const { steps } = await generateText({
      ...base, maxOutputTokens: 300, tools: { dim }, stopWhen: stepCountIs(2),
      prepareStep: ({ stepNumber }) => ({ toolChoice: stepNumber === 0 ? 'required' : 'none' }),
    });
    assert.equal(steps.length, 2);
    assert.ok(calls.length >= 1);
    calls.forEach(checkDim);
  });
}

finish();
