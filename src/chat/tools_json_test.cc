#include "chat/tools_json.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace carat {
namespace {

std::string NamesOf(std::string_view text) {
  const auto tools = ToolsFromJson(text);
  if (!tools.ok()) return tools.status().message();
  std::string names;
  for (const ToolDeclaration& tool : *tools) {
    names += (names.empty() ? "" : " ") + tool.name + tool.parameters;
  }
  return names;
}

TEST(ToolsFromJson, ReadsTheShapesOfAllProtocols) {
  EXPECT_EQ(NamesOf(R"([{"type":"function","function":{"name":"f",
                "parameters":{"type":"object"}}}])"),
            R"(f{"type":"object"})");
  EXPECT_EQ(NamesOf(R"([{"type":"function","name":"f","parameters":{}}])"),
            "f{}");
  EXPECT_EQ(NamesOf(R"([{"name":"f","input_schema":{"a":1e-07}}])"),
            R"(f{"a":1e-07})");
  EXPECT_EQ(NamesOf(R"({"functionDeclarations":[{"name":"f"},
                {"name":"g","parametersJsonSchema":{}}]})"),
            "f g{}");
  EXPECT_EQ(NamesOf(R"({"tools":[{"function_declarations":[{"name":"f"}]},
                {"functionDeclarations":[{"name":"g"}]},{"name":"h"}]})"),
            "f g h");
  EXPECT_EQ(NamesOf("[]"), "");
  EXPECT_EQ(NamesOf("null"), "");
}

TEST(ToolsFromJson, ErrorsNameThePlace) {
  EXPECT_EQ(NamesOf("3"), "tools must be a list, but it is of type number.");
  EXPECT_EQ(NamesOf("[3]"),
            "tools[0] must be an object, but it is of type number.");
  EXPECT_EQ(NamesOf(R"([{"function":{}}])"),
            "tools[0].function.name must be a non-empty string, but it is "
            "missing.");
  EXPECT_EQ(NamesOf(R"([{"functionDeclarations":[{"name":"f",
                "parameters":[]}]}])"),
            "tools[0].functionDeclarations[0].parameters must be an object, "
            "but it is of type array.");
  EXPECT_NE(NamesOf("{").find("The tools cannot be read"), std::string::npos);
}

TEST(DeclaredToolsFromJson, KeepsWhatIsWrittenBesideTheFunction) {
  const auto root = ExactJson::Parse(
      R"([{"type":"function","command":["ls"],"function":{"name":"f"}},
          {"name":"g","command":["df"]}])");
  ASSERT_TRUE(root.ok());
  const auto tools = DeclaredToolsFromJson(*root);
  ASSERT_TRUE(tools.ok()) << tools.status().message();
  EXPECT_EQ((*tools)[0].source.Find("command")->Dump(), R"(["ls"])");
  EXPECT_EQ((*tools)[1].source.Find("command")->Dump(), R"(["df"])");
}

}  // namespace
}  // namespace carat
