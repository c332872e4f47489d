#include "chat/tool_syntax.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/utf8.h"
#include "chat/python_text.h"
#include "chat/tool_schema.h"

namespace carat {
namespace {

bool IsSchemaKeyword(std::string_view key) {
  return key == "description" || key == "type" || key == "properties" ||
         key == "required" || key == "nullable";
}

// A schema's type as the templates print it: upper case, "" when missing.
std::string TypeName(const ExactJson& schema) {
  const ExactJson* type = schema.Find("type");
  return type == nullptr ? "" : AsciiUpper(PythonStr(*type));
}

bool Truthy(const ExactJson* value) {
  return value != nullptr && value->truthy();
}

class DeclarationWriter {
 public:
  DeclarationWriter(const ToolSpelling& spelling, SegmentBuilder* out)
      : spelling_(spelling), out_(out) {}

  void Quoted(std::string_view text) {
    out_->Control(spelling_.quote);
    out_->Text(text);
    out_->Control(spelling_.quote);
  }

  // a:{..},b:{..}
  void Properties(const ExactJson& properties, bool skip_keywords) {
    bool first = true;
    for (const ExactJson::Member* member : SortedMembers(properties)) {
      if (skip_keywords && IsSchemaKeyword(member->key)) continue;
      if (!first) out_->Text(",");
      first = false;
      out_->Text(member->key);
      out_->Text(":{");
      Property(member->value);
      out_->Text("}");
    }
  }

  void StringList(const ExactJson& list) {
    out_->Text("[");
    for (size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) out_->Text(",");
      Quoted(PythonStr(list.items[i]));
    }
    out_->Text("]");
  }

 private:
  void Comma(bool* any) {
    if (*any) out_->Text(",");
    *any = true;
  }

  void Property(const ExactJson& schema) {
    const std::string type = TypeName(schema);
    bool any = false;
    const ExactJson* description = schema.Find("description");
    if (Truthy(description) || spelling_.always_describe) {
      Comma(&any);
      out_->Text("description:");
      Quoted(description != nullptr ? PythonStr(*description) : "");
    }
    if (spelling_.nullable_early) Nullable(schema, &any);
    if (type == "STRING" && Truthy(schema.Find("enum"))) {
      Comma(&any);
      out_->Text("enum:");
      WriteValue(*schema.Find("enum"), KeyStyle::kQuoted, spelling_, out_);
    }
    const ExactJson* items = schema.Find("items");
    if (type == "ARRAY" && Truthy(items) && items->is_object()) {
      NestedComma(&any);
      out_->Text("items:{");
      Items(*items);
      out_->Text("}");
    }
    if (!spelling_.nullable_early) Nullable(schema, &any);
    if (type == "OBJECT") ObjectBody(schema, &any);
    Comma(&any);
    out_->Text("type:");
    Quoted(type);
  }

  // The first revision writes its comma whether or not something precedes,
  // and forgets that something was written.
  void NestedComma(bool* any) {
    if (spelling_.comma_before_nested) {
      out_->Text(",");
    } else {
      Comma(any);
    }
  }

  void Nullable(const ExactJson& schema, bool* any) {
    if (!Truthy(schema.Find("nullable"))) return;
    Comma(any);
    out_->Text("nullable:true");
  }

  void ObjectBody(const ExactJson& schema, bool* any) {
    NestedComma(any);
    out_->Text("properties:{");
    const ExactJson* properties = schema.Find("properties");
    if (properties != nullptr && properties->is_object()) {
      Properties(*properties, spelling_.drop_keyword_properties);
    } else {
      Properties(schema, true);
    }
    out_->Text("}");
    const ExactJson* required = schema.Find("required");
    if (!Truthy(required)) return;
    NestedComma(any);
    out_->Text("required:");
    StringList(*required);
  }

  void Items(const ExactJson& items) {
    bool any = false;
    for (const ExactJson::Member* member : SortedMembers(items)) {
      if (member->value.is_null()) continue;
      Comma(&any);
      out_->Text(member->key);
      out_->Text(":");
      if (member->key == "properties") {
        out_->Text("{");
        if (member->value.is_object()) {
          Properties(member->value, spelling_.drop_keyword_properties);
        }
        out_->Text("}");
      } else if (member->key == "required") {
        StringList(member->value);
      } else if (member->key == "type") {
        WriteValue(UpperType(member->value), KeyStyle::kQuoted, spelling_,
                   out_);
      } else {
        WriteValue(member->value, KeyStyle::kQuoted, spelling_, out_);
      }
    }
  }

  static ExactJson UpperType(const ExactJson& type) {
    if (!type.is_array()) return ExactJson::String(AsciiUpper(PythonStr(type)));
    ExactJson upper = ExactJson::Array();
    for (const ExactJson& item : type.items) {
      upper.items.push_back(ExactJson::String(AsciiUpper(PythonStr(item))));
    }
    return upper;
  }

  const ToolSpelling& spelling_;
  SegmentBuilder* out_;
};

Result<ExactJson> ParseSchema(const std::string& text, std::string_view what,
                              const ToolDeclaration& tool) {
  if (text.empty()) return ExactJson();
  Result<ExactJson> schema = ExactJson::Parse(text);
  if (!schema.ok()) {
    return InvalidArgument(fmt::format("The {} schema of the tool {} is {}",
                                       what, QuoteForMessage(tool.name),
                                       schema.status().message()));
  }
  if (!schema->is_object() && !schema->is_null()) {
    return InvalidArgument(
        fmt::format("The {} schema of the tool {} must be a JSON object, but "
                    "it is of type {}.",
                    what, QuoteForMessage(tool.name), schema->kind_name()));
  }
  return schema;
}

void WriteParameters(const ExactJson& schema, DeclarationWriter* writer,
                     const ToolSpelling& spelling, SegmentBuilder* out) {
  out->Text(",parameters:{");
  const ExactJson* properties = schema.Find("properties");
  if (Truthy(properties) && properties->is_object()) {
    out->Text("properties:{");
    writer->Properties(*properties, spelling.drop_keyword_properties);
    out->Text("},");
  }
  if (const ExactJson* required = schema.Find("required"); Truthy(required)) {
    out->Text("required:");
    writer->StringList(*required);
    out->Text(",");
  }
  if (Truthy(schema.Find("type"))) {
    out->Text("type:");
    writer->Quoted(TypeName(schema));
    out->Text("}");
  }
}

}  // namespace

void WriteValue(const ExactJson& value, KeyStyle keys,
                const ToolSpelling& spelling, SegmentBuilder* out) {
  switch (value.kind) {
    case ExactJson::Kind::kNull:
      out->Text(spelling.null_word);
      return;
    case ExactJson::Kind::kBool:
      out->Text(value.flag ? "true" : "false");
      return;
    case ExactJson::Kind::kNumber:
      out->Text(PythonNumber(value.text));
      return;
    case ExactJson::Kind::kString:
      out->Control(spelling.quote);
      out->Text(value.text);
      out->Control(spelling.quote);
      return;
    case ExactJson::Kind::kArray:
      out->Text("[");
      for (size_t i = 0; i < value.items.size(); ++i) {
        if (i > 0) out->Text(",");
        WriteValue(value.items[i], keys, spelling, out);
      }
      out->Text("]");
      return;
    case ExactJson::Kind::kObject:
      break;
  }
  out->Text("{");
  bool first = true;
  for (const ExactJson::Member* member : SortedMembers(value)) {
    if (!first) out->Text(",");
    first = false;
    if (keys == KeyStyle::kQuoted) out->Control(spelling.quote);
    out->Text(member->key);
    if (keys == KeyStyle::kQuoted) out->Control(spelling.quote);
    out->Text(":");
    WriteValue(member->value, keys, spelling, out);
  }
  out->Text("}");
}

void WriteMembers(const ExactJson& object, const ToolSpelling& spelling,
                  SegmentBuilder* out) {
  bool first = true;
  for (const ExactJson::Member* member : SortedMembers(object)) {
    if (!first) out->Text(",");
    first = false;
    out->Text(member->key);
    out->Text(":");
    WriteValue(member->value, KeyStyle::kBare, spelling, out);
  }
}

Status WriteDeclaration(const ToolDeclaration& tool,
                        const ToolSpelling& spelling, SchemaShape shape,
                        SegmentBuilder* out) {
  const bool normalize = shape == SchemaShape::kNormalize;
  CARAT_ASSIGN_OR_RETURN(ExactJson parameters,
                         ParseSchema(tool.parameters, "parameter", tool));
  CARAT_ASSIGN_OR_RETURN(ExactJson response,
                         ParseSchema(tool.response, "response", tool));
  if (normalize && parameters.truthy()) {
    parameters = NormalizeToolSchema(parameters);
  }
  DeclarationWriter writer(spelling, out);
  out->Text("declaration:" + tool.name + "{description:");
  writer.Quoted(tool.description);
  if (parameters.truthy()) {
    WriteParameters(parameters, &writer, spelling, out);
  }
  const bool is_object = TypeName(response) == "OBJECT";
  // A response of another type would leave its brace open: leave it out.
  if (!tool.response.empty() && (is_object || !normalize)) {
    out->Text(",response:{");
    if (Truthy(response.Find("description"))) {
      out->Text("description:");
      writer.Quoted(PythonStr(*response.Find("description")));
      out->Text(",");
    }
    if (is_object) {
      out->Text("type:");
      writer.Quoted("OBJECT");
      out->Text("}");
    }
  }
  out->Text("}");
  return OkStatus();
}

Result<ExactJson> ParseArguments(const ToolCall& call) {
  if (call.arguments.empty()) return ExactJson::Object();
  Result<ExactJson> arguments = ExactJson::Parse(call.arguments);
  if (!arguments.ok()) {
    return InvalidArgument(fmt::format("The arguments of the call of {} are {}",
                                       QuoteForMessage(call.name),
                                       arguments.status().message()));
  }
  if (arguments->is_null()) return ExactJson::Object();
  if (!arguments->is_object()) {
    return InvalidArgument(
        fmt::format("The arguments of the call of {} must be a JSON object, "
                    "but they are of type {}.",
                    QuoteForMessage(call.name), arguments->kind_name()));
  }
  return arguments;
}

}  // namespace carat
