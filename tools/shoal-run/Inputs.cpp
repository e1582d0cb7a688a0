// What the arguments of a model are.
#include "Options.h"

#include "shoal/runtime/Random.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace shoal::rt {

Result<InputSource> openInput(const std::string &text) {
  InputSource source;
  if (text != "random" && text.rfind("random:", 0) != 0) {
    Result<NpzReader> file = NpzReader::open(text);
    if (!file)
      return file.status();
    source.file = std::move(*file);
    return source;
  }
  source.random = true;
  if (text.size() > 7) {
    char *end;
    source.seed = std::strtoull(text.c_str() + 7, &end, 10);
    if (*end || text[7] == '-')
      return Status::badInput("--input: '" + text +
                              "' has no number after 'random:'");
  } else if (text.size() == 7) {
    return Status::badInput("--input: 'random:' needs a number after it");
  }
  return source;
}

Result<std::string> argumentShapes(const NpzReader &file) {
  std::string text;
  for (const std::string &name : file.names()) {
    if (name.size() < 4 || name.compare(0, 3, "arg") != 0 ||
        name.find_first_not_of("0123456789", 3) != std::string::npos)
      continue;
    Result<std::vector<int64_t>> shape = file.shape(name);
    if (!shape)
      return shape.status();
    text += (text.empty() ? "" : ",") + name + ":";
    if (shape->empty())
      text += "scalar";
    for (size_t i = 0; i < shape->size(); ++i)
      text += (i ? "x" : "") + std::to_string((*shape)[i]);
  }
  return text;
}

Result<std::vector<HostTensor>> readArguments(const program::View &p,
                                              const Options &options,
                                              const InputSource &source) {
  std::vector<HostTensor> arguments;
  std::set<std::string> known;
  std::set<size_t> added = addedArguments(p);
  auto records = p.section<program::Argument>(program::Section::Arguments);
  for (size_t i = 0; i < records.size(); ++i) {
    DType type = p.type(records[i].globalType).dtype;
    auto dims = p.shape(records[i].globalType);
    std::vector<int64_t> shape(dims.begin(), dims.end());
    std::string key = "arg" + std::to_string(i);
    known.insert(key);
    // A token needs no value.
    bool isToken = isEmptyToken(type, shape) && !source.file.contains(key);
    // State that the compiler added is zero at first.
    bool isFirst = !source.file.contains(key) && added.count(i);
    if (source.random || type == DType::Invalid || isToken || isFirst) {
      HostTensor t{type, shape, {}};
      int64_t bytes = numBytes(type, shape);
      t.buffer =
          AlignedBuffer(static_cast<size_t>(std::max<int64_t>(bytes, 0)));
      if (bytes < 0 || !t.buffer.isValid())
        return Status::badInput("not enough memory for argument " + key + ", " +
                                describe(type, shape));
      if (isFirst)
        std::memset(t.buffer.data(), 0, static_cast<size_t>(bytes));
      else if (type != DType::Invalid)
        fillRandom(t, source.seed, i);
      arguments.push_back(std::move(t));
      continue;
    }
    if (options.input.empty())
      return Status::badInput("argument '" + key + "', " +
                              describe(type, shape) +
                              ", has no value; give --input=FILE.npz with '" +
                              key + "' in it, or --input=random");
    if (!source.file.contains(key))
      return Status::badInput("'" + options.input + "' has no array '" + key +
                              "' for the argument " + describe(type, shape));
    Result<HostTensor> t = source.file.read(key, type, shape);
    if (!t)
      return t.status();
    arguments.push_back(std::move(*t));
  }
  if (!source.random && !options.input.empty())
    for (const std::string &name : source.file.names())
      if (!known.count(name))
        std::fprintf(stderr,
                     "shoal-run: warning: '%s': array '%s' is not an argument "
                     "of the model and is ignored\n",
                     options.input.c_str(), name.c_str());
  return arguments;
}

} // namespace shoal::rt
