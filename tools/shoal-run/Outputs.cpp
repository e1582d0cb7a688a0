// What is done with the results: comparison and report.
#include "Options.h"

#include "shoal/runtime/Compare.h"
#include "shoal/runtime/Npz.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace shoal::rt {

Status compareWithExpected(const Options &options,
                           const std::vector<HostTensor> &results,
                           std::vector<std::string> &failures,
                           double &largestError) {
  Result<NpzReader> expected = NpzReader::open(options.check);
  if (!expected)
    return expected.status();
  Tolerance tolerance;
  tolerance.relative = options.rtol;
  tolerance.absolute = options.atol;
  for (size_t i = 0; i < results.size(); ++i) {
    std::string key = "out" + std::to_string(i);
    if (isEmptyToken(results[i].type, results[i].shape) &&
        !expected->contains(key))
      continue;
    if (!expected->contains(key))
      return Status::badInput("'" + options.check + "' has no array '" + key +
                              "', but the model "
                              "has " +
                              std::to_string(results.size()) + " results");
    const HostTensor &got = results[i];
    Result<HostTensor> want = expected->read(key, got.type, got.shape);
    if (!want)
      return want.status();
    Comparison c =
        compare(got.type, got.data(), want->data(), got.elements(), tolerance);
    largestError = std::max(largestError, c.largestError);
    if (c.mismatches)
      failures.push_back(
          "check failed: " + key + " " + describe(got.type, got.shape) + ": " +
          describe(c, got.type, got.data(), want->data(), got.shape));
  }
  return Status::ok();
}

std::set<size_t> addedArguments(const program::View &program) {
  using nlohmann::json;
  std::set<size_t> added;
  std::string_view text = program.str(program.header().report);
  if (text.find("\"role\"") == text.npos)
    return added;
  json report = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!report.is_object() || !report["arguments"].is_array())
    return added;
  for (size_t i = 0; i < report["arguments"].size(); ++i)
    if (const json &entry = report["arguments"][i];
        entry.is_object() && entry.contains("role"))
      added.insert(i);
  return added;
}

std::string makeReport(const program::View &program, const RunResult &result,
                       const std::string &compileSeconds) {
  using nlohmann::ordered_json;
  std::string_view text = program.str(program.header().report);
  ordered_json report =
      ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!report.is_object())
    report = ordered_json::object();
  ordered_json measured;
  std::vector<double> times = result.stepSeconds;
  std::sort(times.begin(), times.end());
  measured["steps"] = times.size();
  if (!times.empty()) {
    size_t n = times.size();
    double median =
        n % 2 ? times[n / 2] : (times[n / 2 - 1] + times[n / 2]) / 2;
    measured["step_s"] = {
        {"min", times.front()}, {"median", median}, {"max", times.back()}};
  }
  measured["bytes_sent_per_device"] = result.bytesSentPerDevice;
  measured["collectives_per_device"] = result.collectivesPerDevice;
  report["measured"] = measured;
  if (!result.profile.empty()) {
    ordered_json rows = ordered_json::array();
    for (const ProfileRow &row : result.profile) {
      rows.push_back({{"what", row.what},
                      {"where", row.where},
                      {"calls", row.calls},
                      {"seconds", row.seconds},
                      {"bytes", row.bytes},
                      {"flops", row.flops},
                      {"bytes_sent", row.bytesSent}});
      if (row.product != ProductShape())
        rows.back()["product"] = row.product;
    }
    report["profile"] = rows;
  }
  ordered_json seconds = ordered_json::parse(compileSeconds, nullptr, false);
  report["compile_s"] = seconds.is_object() ? seconds : ordered_json::object();
  return report.dump(2) + "\n";
}

} // namespace shoal::rt
