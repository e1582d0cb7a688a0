#include "shoal/runtime/CommandLine.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>

namespace shoal::rt {

void CommandLine::flag(const std::string &name, bool &value,
                       const std::string &help, bool hidden) {
  options.push_back({name, "", help, Kind::Flag, &value, 0, hidden, false});
}
void CommandLine::flag(const std::string &name, bool &value, std::string &text,
                       const std::string &metavar, const std::string &help) {
  options.push_back(
      {name, metavar, help, Kind::Flag, &value, 0, false, false, &text});
}
void CommandLine::text(const std::string &name, std::string &value,
                       const std::string &metavar, const std::string &help,
                       bool hidden) {
  options.push_back(
      {name, metavar, help, Kind::Text, &value, 0, hidden, false});
}
void CommandLine::list(const std::string &name,
                       std::vector<std::string> &values,
                       const std::string &metavar, const std::string &help) {
  options.push_back(
      {name, metavar, help, Kind::List, &values, 0, false, false});
}
void CommandLine::integer(const std::string &name, int64_t &value,
                          int64_t least, const std::string &help) {
  options.push_back(
      {name, "N", help, Kind::Integer, &value, least, false, false});
}
void CommandLine::number(const std::string &name, double &value,
                         const std::string &help) {
  options.push_back({name, "X", help, Kind::Number, &value, 0, false, false});
}

bool CommandLine::given(const std::string &name) const {
  return std::any_of(options.begin(), options.end(), [&](const Option &o) {
    return o.name == name && o.given;
  });
}

CommandLine::Option *CommandLine::find(const std::string &name) {
  for (Option &o : options)
    if (o.name == name)
      return &o;
  return nullptr;
}

static size_t editDistance(const std::string &a, const std::string &b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j)
    row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t next = std::min(
          {row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = row[j];
      row[j] = next;
    }
  }
  return row[b.size()];
}

Status CommandLine::set(Option &o, const std::string &value) {
  auto bad = [&](const std::string &why) {
    return Status::badInput("--" + o.name + ": " + why);
  };
  if (o.given && o.kind != Kind::List && o.kind != Kind::Flag)
    return bad("given twice");
  o.given = true;
  switch (o.kind) {
  case Kind::Flag:
    if (o.text) {
      if (!o.text->empty() && !value.empty())
        return bad("given twice");
      if (!value.empty())
        *o.text = value;
      *static_cast<bool *>(o.value) = true;
      break;
    }
    if (!value.empty() && value != "true" && value != "false" && value != "1" &&
        value != "0")
      return bad("takes no value");
    *static_cast<bool *>(o.value) = value != "false" && value != "0";
    break;
  case Kind::Text:
    if (value.empty())
      return bad("needs a value");
    *static_cast<std::string *>(o.value) = value;
    break;
  case Kind::List:
    if (value.empty())
      return bad("needs a value");
    static_cast<std::vector<std::string> *>(o.value)->push_back(value);
    break;
  case Kind::Integer: {
    char *end;
    errno = 0;
    long long n = std::strtoll(value.c_str(), &end, 10);
    if (value.empty() || *end || errno || n < o.least)
      return bad("'" + value + "' is not an integer of at least " +
                 std::to_string(o.least));
    *static_cast<int64_t *>(o.value) = n;
    break;
  }
  case Kind::Number: {
    char *end;
    double x = std::strtod(value.c_str(), &end);
    if (value.empty() || *end || !std::isfinite(x) || x < 0)
      return bad("'" + value + "' is not a number of at least 0");
    *static_cast<double *>(o.value) = x;
    break;
  }
  }
  return Status::ok();
}

Result<CommandLine::Action>
CommandLine::parse(int argc, char **argv, std::vector<std::string> &files) {
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (argument == "--help" || argument == "-help" || argument == "-h")
      return Action::Help;
    if (argument == "--version" || argument == "-version")
      return Action::Version;
    if (argument == "--")
      break;
  }
  bool onlyFiles = false;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (onlyFiles || argument.size() < 2 || argument[0] != '-') {
      files.push_back(argument);
      continue;
    }
    if (argument == "--") {
      onlyFiles = true;
      continue;
    }
    size_t start = argument[1] == '-' ? 2 : 1, equal = argument.find('=');
    std::string name = argument.substr(
        start, equal == std::string::npos ? equal : equal - start);
    Option *o = find(name);
    if (!o) {
      std::string hint;
      size_t best = std::min<size_t>(4, name.size() / 2 + 1);
      for (const Option &other : options)
        if (size_t d = editDistance(name, other.name);
            d < best && !other.hidden) {
          best = d;
          hint = "; did you mean '--" + other.name + "'?";
        }
      if (hint.empty())
        hint = "; '" + tool + " --help' lists them";
      return Status::badInput("unknown option '" + argument + "'" + hint);
    }
    std::string value;
    if (equal != std::string::npos)
      value = argument.substr(equal + 1);
    else if (o->kind != Kind::Flag) {
      if (i + 1 == argc)
        return Status::badInput("--" + o->name + ": needs a value");
      value = argv[++i];
    }
    if (o->kind == Kind::Flag && equal != std::string::npos && value.empty())
      return Status::badInput("--" + o->name +
                              (o->text ? ": needs a value after '='"
                                       : ": takes no value"));
    if (Status s = set(*o, value); !s)
      return s;
  }
  return Action::Run;
}

std::string CommandLine::help() const {
  std::string out = "Usage: " + usage + "\n\n" + description + "\n\nOptions:\n";
  auto line = [&](std::string left, const std::string &text) {
    left = "  " + left;
    if (left.size() < 27)
      left.append(27 - left.size(), ' ');
    else
      left += "\n" + std::string(27, ' ');
    out += left;
    // Wrapped at 79 columns.
    size_t column = 27;
    for (size_t at = 0; at < text.size();) {
      size_t space = text.find(' ', at);
      if (space == std::string::npos)
        space = text.size();
      if (column + (space - at) > 79 && column > 27) {
        out += "\n" + std::string(27, ' ');
        column = 27;
      }
      out += text.substr(at, space - at) + " ";
      column += space - at + 1;
      at = space + 1;
    }
    if (out.back() == ' ')
      out.pop_back();
    out += "\n";
  };
  for (const Option &o : options)
    if (!o.hidden)
      line((o.name.size() == 1 ? "-" : "--") + o.name +
               (o.metavar.empty()    ? ""
                : o.name.size() == 1 ? " " + o.metavar
                : o.text             ? "[=" + o.metavar + "]"
                                     : "=" + o.metavar),
           o.help);
  line("--help", "print this text");
  line("--version", "print versions");
  return out;
}

std::string versionText(const std::string &tool) {
  return tool + " " SHOAL_VERSION "\n"
                "  LLVM and MLIR " SHOAL_LLVM_VERSION "\n"
                "  dialects: stablehlo " SHOAL_STABLEHLO_VERSION
                ", chlo and sdy as JAX 0.10 prints them, shoal " SHOAL_VERSION
                "\n";
}

} // namespace shoal::rt
