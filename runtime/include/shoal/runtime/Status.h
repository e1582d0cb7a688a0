// Errors of the runtime: a message and the process exit code it leads to.
// Nothing here throws.
#ifndef SHOAL_RUNTIME_STATUS_H
#define SHOAL_RUNTIME_STATUS_H

#include <optional>
#include <string>
#include <utility>

namespace shoal::rt {

/// The exit codes of shoal-run (DESIGN.md section 4).
enum class ExitCode : int {
  Ok = 0,
  CheckFailed = 1,
  BadInput = 2,
  RuntimeFault = 3,
};

/// Success, or an error with a message for the user.
class [[nodiscard]] Status {
public:
  Status() = default;
  static Status ok() { return Status(); }
  static Status badInput(std::string message) {
    return Status(ExitCode::BadInput, std::move(message));
  }
  static Status fault(std::string message) {
    return Status(ExitCode::RuntimeFault, std::move(message));
  }
  static Status checkFailed(std::string message) {
    return Status(ExitCode::CheckFailed, std::move(message));
  }
  bool isOk() const { return exitCode == ExitCode::Ok; }
  explicit operator bool() const { return isOk(); }
  ExitCode code() const { return exitCode; }
  const std::string &message() const { return text; }

private:
  Status(ExitCode code, std::string message)
      : exitCode(code), text(std::move(message)) {}
  ExitCode exitCode = ExitCode::Ok;
  std::string text;
};

/// A value or an error.
template <typename T>
class [[nodiscard]] Result {
public:
  Result(T value) : stored(std::move(value)) {}
  Result(Status status) : state(std::move(status)) {}
  bool isOk() const { return stored.has_value(); }
  explicit operator bool() const { return isOk(); }
  T &operator*() { return *stored; }
  const T &operator*() const { return *stored; }
  T *operator->() { return &*stored; }
  const T *operator->() const { return &*stored; }
  const Status &status() const { return state; }

private:
  std::optional<T> stored;
  Status state;
};

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_STATUS_H
