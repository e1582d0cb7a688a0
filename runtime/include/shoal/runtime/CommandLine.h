// Command lines of shoal-run and shoal-compile. LLVM's parser exits with code 1
// by itself and drags in every option of LLVM; this one reports.
#ifndef SHOAL_RUNTIME_COMMANDLINE_H
#define SHOAL_RUNTIME_COMMANDLINE_H

#include "shoal/runtime/Status.h"

#include <cstdint>
#include <string>
#include <vector>

namespace shoal::rt {

/// Declares options, then parses. `--name=value`, `--name value`, one dash or
/// two, `-o value`; "--" ends options. A value given twice is an error, except
/// for lists.
class CommandLine {
public:
  CommandLine(std::string tool, std::string usage, std::string description)
      : tool(std::move(tool)), usage(std::move(usage)),
        description(std::move(description)) {}

  void flag(const std::string &name, bool &value, const std::string &help,
            bool hidden = false);
  /// A flag that may have a value: --name, or --name=value (no blank between).
  void flag(const std::string &name, bool &value, std::string &text,
            const std::string &metavar, const std::string &help);
  void text(const std::string &name, std::string &value,
            const std::string &metavar, const std::string &help,
            bool hidden = false);
  void list(const std::string &name, std::vector<std::string> &values,
            const std::string &metavar, const std::string &help);
  /// An integer of at least `least`.
  void integer(const std::string &name, int64_t &value, int64_t least,
               const std::string &help);
  /// A finite number of at least 0.
  void number(const std::string &name, double &value, const std::string &help);
  /// Whether the option was given on the command line.
  bool given(const std::string &name) const;

  enum class Action { Run, Help, Version };
  /// Positional arguments go to `files`. On Help and Version nothing else is
  /// checked. Errors have a hint towards the nearest option.
  Result<Action> parse(int argc, char **argv, std::vector<std::string> &files);

  std::string help() const;

private:
  enum class Kind { Flag, Text, List, Integer, Number };
  struct Option {
    std::string name, metavar, help;
    Kind kind;
    void *value;
    int64_t least;
    bool hidden, given;
    std::string *text = nullptr; ///< of a flag that may have a value
  };
  Option *find(const std::string &name);
  Status set(Option &option, const std::string &value);

  std::string tool, usage, description;
  std::vector<Option> options;
};

/// "shoal 0.1.0, LLVM 22.1.8, stablehlo …": the text of --version.
std::string versionText(const std::string &tool);

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_COMMANDLINE_H
