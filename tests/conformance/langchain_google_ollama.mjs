// LangChain over its packages for Gemini (with Google's earlier client inside)
// and for Ollama.
import { ChatGoogleGenerativeAI } from '@langchain/google-genai';
import { ChatOllama } from '@langchain/ollama';
import { assert, check, checkDim, checkTools, dimSchema, finish, model, url }
  from './harness.mjs';

const google = new ChatGoogleGenerativeAI({ model, baseUrl: url,
  apiKey: 'none', maxOutputTokens: 16, maxRetries: 0 });
const ollama = new ChatOllama({ model, baseUrl: url, numPredict: 16,
  think: false, maxRetries: 0 });

for (const [name, chat] of Object.entries({ google, ollama })) {
  await check(`${name}: invoke and stream`, async () => {
    const answer = await chat.invoke([['system', 'Be brief.'], ['user', 'hi']]);
    assert.ok(answer.usage_metadata.output_tokens >= 1);
    let chunks = 0;
    for await (const chunk of await chat.stream('hi')) {
      assert.ok(chunk);
      chunks += 1;
    }
    assert.ok(chunks >= 1);
  });
}

await checkTools('google: a forced tool', async () => {
  const chat = new ChatGoogleGenerativeAI({ model, baseUrl: url,
    apiKey: 'none', maxOutputTokens: 400, maxRetries: 0 });
  const { additionalProperties, ...parameters } = dimSchema;
  assert.equal(additionalProperties, false);
  const bound = chat.bindTools([{ type: 'function', function: {
    name: 'dim', description: 'Dims a lamp', parameters } }],
  { tool_choice: 'any' });
  const answer = await bound.invoke('hi');
  checkDim(answer.tool_calls[0].args);
});

await check('ollama: structured output', async () => {
  const chat = new ChatOllama({ model, baseUrl: url, numPredict: 200,
    think: false, format: dimSchema });
  checkDim(JSON.parse((await chat.invoke('hi')).content));
});

finish();
