// LangChain's ChatOpenAI, over chat completions and over responses.
import { HumanMessage, ToolMessage } from '@langchain/core/messages';
import { ChatOpenAI } from '@langchain/openai';
import { assert, check, checkDim, checkTools, dimSchema, finish, model, url }
  from './harness.mjs';

for (const useResponsesApi of [false, true]) {
  const name = useResponsesApi ? 'responses' : 'chat';
  const make = (maxTokens) => new ChatOpenAI({
    model, maxTokens, useResponsesApi, apiKey: 'none', maxRetries: 0,
    configuration: { baseURL: `${url}/v1` },
  });

  await check(`${name}: invoke and stream`, async () => {
    const answer = await make(16).invoke('hi');
    assert.ok(answer.usage_metadata.output_tokens >= 1);
    let chunks = 0;
    for await (const chunk of await make(16).stream('hi')) {
      assert.ok(chunk !== undefined);
      chunks += 1;
    }
    assert.ok(chunks >= 2);
  });

  await checkTools(`${name}: tools`, async () => {
    const tool = {
      type: 'function',
      function: { name: 'dim', description: 'Dims', parameters: dimSchema },
    };
    // This client sends "required" over chat only, and a named tool over both.
    const bound = make(300).bindTools([tool], { tool_choice: 'dim' });
    const question = new HumanMessage('hi');
    const answer = await bound.invoke([question]);
    assert.ok(answer.tool_calls.length >= 1);
    answer.tool_calls.forEach((call) => checkDim(call.args));
    const results = answer.tool_calls.map(
      (call) => new ToolMessage({ tool_call_id: call.id, content: 'done' }));
    await make(8).invoke([question, answer, ...results]);
  });

  await check(`${name}: structured output`, async () => {
    const value = await make(200)
      .withStructuredOutput(dimSchema, { name: 'dim', method: 'jsonSchema' })
      .invoke('hi');
    checkDim(value);
  });
}

finish();
