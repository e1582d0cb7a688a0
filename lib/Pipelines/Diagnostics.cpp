// How diagnostics look on the terminal, and reading of source files.
#include "shoal/Pipelines/Compile.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/FileSystem.h"

#include <cerrno>
#include <zlib.h>

using namespace mlir;

namespace shoal {

static FailureOr<std::string> gunzip(StringRef data, std::string &error) {
  z_stream z = {};
  if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) {
    error = "cannot decompress";
    return failure();
  }
  std::string out;
  std::vector<char> block(1 << 18);
  z.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(data.data()));
  z.avail_in = static_cast<uInt>(data.size());
  int rc;
  do {
    z.next_out = reinterpret_cast<Bytef *>(block.data());
    z.avail_out = static_cast<uInt>(block.size());
    rc = inflate(&z, Z_NO_FLUSH);
    out.append(block.data(), block.size() - z.avail_out);
    // Several gzip members may follow one another.
    if (rc == Z_STREAM_END && z.avail_in > 0) {
      inflateReset(&z);
      rc = Z_OK;
    }
  } while (rc == Z_OK && (z.avail_in > 0 || z.avail_out == 0));
  inflateEnd(&z);
  if (rc != Z_STREAM_END) {
    error = "truncated or corrupt gzip data";
    return failure();
  }
  return out;
}

FailureOr<std::unique_ptr<llvm::MemoryBuffer>> readSource(StringRef path,
                                                          std::string &error) {
  llvm::sys::fs::file_status status;
  if (!llvm::sys::fs::status(path, status) &&
      llvm::sys::fs::is_directory(status)) {
    error = "is a directory";
    return failure();
  }
  auto file = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                          /*RequiresNullTerminator=*/true);
  if (std::error_code code = file.getError()) {
    error = code.message();
    return failure();
  }
  StringRef data = (*file)->getBuffer();
  if (!data.starts_with("\x1f\x8b"))
    return std::move(*file);
  FailureOr<std::string> text = gunzip(data, error);
  if (failed(text))
    return failure();
  return llvm::MemoryBuffer::getMemBufferCopy(*text, path);
}

DiagnosticPrinter::DiagnosticPrinter(MLIRContext &context,
                                     llvm::MemoryBufferRef source,
                                     raw_ostream &os)
    : context(context), source(source), os(os) {
  context.printOpOnDiagnostic(false); // it may have thousands of lines
  handler = context.getDiagEngine().registerHandler([this](Diagnostic &d) {
    StringRef kind = "note";
    switch (d.getSeverity()) {
    case DiagnosticSeverity::Error:
      kind = "error";
      ++errors;
      break;
    case DiagnosticSeverity::Warning:
      kind = "warning";
      break;
    case DiagnosticSeverity::Remark:
      kind = "remark";
      break;
    case DiagnosticSeverity::Note:
      break;
    }
    print(d.getLocation(), kind, d.str());
    for (Diagnostic &note : d.getNotes())
      print(note.getLocation(), "note", note.str());
    return success();
  });
}

DiagnosticPrinter::~DiagnosticPrinter() {
  context.getDiagEngine().eraseHandler(handler);
}

/// The first place in a file that a location leads to.
static FileLineColLoc findFile(Location loc) {
  FileLineColLoc found;
  loc->walk([&](Location inner) {
    if (auto file = dyn_cast<FileLineColLoc>(inner)) {
      found = file;
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return found;
}

/// Line `number` (from 1) of the text, without its end.
static StringRef lineOf(StringRef text, unsigned number) {
  for (; number > 1; --number) {
    size_t end = text.find('\n');
    if (end == StringRef::npos)
      return "";
    text = text.drop_front(end + 1);
  }
  return text.take_until([](char c) { return c == '\n'; });
}

void DiagnosticPrinter::print(Location loc, StringRef kind, StringRef text) {
  FileLineColLoc file = findFile(loc);
  if (!file || file.getLine() == 0) {
    os << source.getBufferIdentifier() << ":1:1: " << kind << ": " << text
       << "\n";
    return;
  }
  os << file.getFilename().getValue() << ":" << file.getLine() << ":"
     << file.getColumn() << ": " << kind << ": " << text << "\n";
  if (kind == "remark" ||
      file.getFilename().getValue() != source.getBufferIdentifier() ||
      source.getBuffer().starts_with("ML\xefR"))
    return;
  StringRef line = lineOf(source.getBuffer(), file.getLine());
  unsigned column = file.getColumn() ? file.getColumn() - 1 : 0;
  // A constant of 49 KB on one line helps nobody.
  if (line.empty() || line.size() > 160 || column > line.size())
    return;
  os << line << "\n";
  for (unsigned i = 0; i < column; ++i)
    os << (line[i] == '\t' ? '\t' : ' ');
  os << "^\n";
}

} // namespace shoal
