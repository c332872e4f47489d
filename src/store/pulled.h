// The models that carat itself has put into its models folder: one record a
// model, ROOT/pulled/NAME.json, written last and at once, so that what a
// broken download left is never taken for a model. Several models may share
// files; a file goes with the last record that names it.
//
// Safe for several processes as far as renaming a file is.
#ifndef CARAT_STORE_PULLED_H_
#define CARAT_STORE_PULLED_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace carat {

struct PulledFile {
  std::string path;  // below the model's folder
  uint64_t bytes = 0;
  std::string sha256;
};

struct PulledModel {
  std::string name;        // what a person types
  std::string repository;  // "org/repo"; empty for an imported file
  std::string revision;    // commit; empty for an imported file
  std::string folder;      // below the models folder
  std::string model;       // the file to open, below `folder`; empty: all of it
  std::string quantisation;  // as a name of the hub says it; may be empty
  std::vector<PulledFile> files;
  int64_t pulled_s = 0;  // Unix time

  uint64_t bytes() const;
  // 64 hexadecimal digits: the only file's, or one over those of all files.
  std::string digest() const;
  // Other spellings: repository, quantisation, file.
  std::vector<std::string> aliases() const;
};

// "org/repo:Q4_0" and "gemma4:e2b-qat", nothing that is a path: at most two
// parts of letters, digits and . - _ : that begin with a letter or digit.
bool IsPulledName(std::string_view name);

// A record's text and back. What it names are safe relative paths.
std::string WriteRecord(const PulledModel& model);
Result<PulledModel> ReadRecord(std::string_view json);

// The records of a models folder, by name; unreadable ones give a note.
std::vector<PulledModel> ListPulled(const std::string& models_folder,
                                    std::vector<std::string>* notes);

// The path to open.
std::string PulledPath(const std::string& models_folder,
                       const PulledModel& model);

// Writes the record in place of one of the same name; files that only that one
// needed are deleted.
Status SavePulled(const std::string& models_folder, const PulledModel& model);
// Deletes the record and the files that no other names. kNotFound when there
// is no such record.
Status RemovePulled(const std::string& models_folder, const std::string& name);
// Deletes those of `model`'s files that no record names.
void DropFiles(const std::string& models_folder, const PulledModel& model);

}  // namespace carat

#endif  // CARAT_STORE_PULLED_H_
