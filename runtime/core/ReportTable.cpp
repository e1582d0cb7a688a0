#include "shoal/runtime/ReportTable.h"
#include "shoal/Support/Bytes.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

namespace shoal::rt {

using nlohmann::ordered_json;

static std::string secondsText(double s) {
  char text[32];
  std::snprintf(text, sizeof(text),
                s < 1e-3  ? "%.1f us"
                : s < 1.0 ? "%.2f ms"
                          : "%.2f s",
                s < 1e-3  ? s * 1e6
                : s < 1.0 ? s * 1e3
                          : s);
  return text;
}

static std::string countText(double n) {
  const char *const units[] = {"", " k", " M", " G", " T", " P"};
  int unit = 0;
  while (n >= 1000 && unit < 5) {
    n /= 1000;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof(text), unit ? "%.2f%s" : "%.0f %s", n,
                units[unit]);
  return text;
}

/// Columns padded to their widest cell; numbers to the right.
static std::string layOut(const std::vector<std::vector<std::string>> &rows,
                          const std::vector<bool> &right) {
  std::vector<size_t> width;
  for (auto &row : rows)
    for (size_t c = 0; c < row.size(); ++c) {
      width.resize(std::max(width.size(), c + 1));
      width[c] = std::max(width[c], row[c].size());
    }
  std::string out;
  for (size_t r = 0; r < rows.size(); ++r) {
    std::string line = "  ";
    for (size_t c = 0; c < rows[r].size(); ++c) {
      std::string pad(width[c] - rows[r][c].size(), ' ');
      line += (right[c] ? pad + rows[r][c] : rows[r][c] + pad) + "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

static std::string get(const ordered_json &j, const char *key) {
  auto it = j.find(key);
  if (it == j.end())
    return "";
  return it->is_string() ? it->get<std::string>() : it->dump();
}
static double number(const ordered_json &j, const char *key) {
  auto it = j.find(key);
  return it != j.end() && it->is_number() ? it->get<double>() : 0;
}
static std::string join(const ordered_json &list) {
  std::string text;
  for (const auto &e : list)
    text += (text.empty() ? "" : ",") +
            (e.is_string() ? e.get<std::string>() : e.dump());
  return text;
}

std::string reportTable(std::string_view json) {
  ordered_json r = ordered_json::parse(json, nullptr, false);
  if (!r.is_object())
    return "no report\n";
  std::string out;
  if (auto mesh = r.find("mesh"); mesh != r.end() && mesh->is_object()) {
    out += "Mesh: ";
    if (auto axes = mesh->find("axes"); axes != mesh->end())
      for (const auto &axis : *axes)
        if (axis.is_array() && axis.size() == 2)
          out += (axis[0].is_string() ? axis[0].get<std::string>() : "") + "=" +
                 axis[1].dump() + " ";
    out += "(" + get(*mesh, "devices") + " devices)\n";
  }
  auto collectives = r.find("collectives");
  if (collectives != r.end() && collectives->is_array() &&
      !collectives->empty()) {
    std::vector<std::vector<std::string>> rows = {
        {"collective", "axes", "ranks", "times", "sent per device", "why",
         "where"}};
    for (const auto &c : *collectives) {
      if (!c.is_object())
        continue;
      std::string count = get(c, "count");
      if (get(c, "dynamic") == "true")
        count += "+";
      auto axes = c.find("axes");
      rows.push_back({get(c, "kind"),
                      axes != c.end() && axes->is_array() ? join(*axes) : "",
                      get(c, "group_size"), count,
                      bytesText(number(c, "bytes_sent_per_device")),
                      get(c, "reason"), get(c, "loc")});
    }
    out += "\nCollectives\n" +
           layOut(rows, {false, false, true, true, true, false, false});
  } else {
    out += "\nNo collectives.\n";
  }
  if (auto totals = r.find("totals"); totals != r.end() && totals->is_object())
    out += "\nSent per device and step: " +
           bytesText(number(*totals, "bytes_sent_per_device")) + " in " +
           get(*totals, "collective_count") +
           (get(*totals, "collective_count") == "1" ? " collective\n"
                                                    : " collectives\n");
  if (r.contains("flops_per_device"))
    out += "Arithmetic per device:    " +
           countText(number(r, "flops_per_device")) + "FLOP\n";
  if (r.contains("peak_bytes_per_device"))
    out += "Memory per device:        " +
           bytesText(number(r, "peak_bytes_per_device")) + "\n";
  if (auto alive = r.find("live_at_peak");
      alive != r.end() && alive->is_array() && !alive->empty()) {
    out += "  of it temporaries:      " +
           bytesText(number(r, "temporary_bytes_per_device")) +
           "; the largest when most are alive:\n";
    constexpr size_t most = 5;
    for (size_t i = 0; i < std::min(most, alive->size()); ++i) {
      const auto &t = (*alive)[i];
      out += "    " + bytesText(number(t, "bytes")) + "  " + get(t, "type") +
             "  " + get(t, "loc") + "\n";
    }
  }
  if (auto m = r.find("modelled"); m != r.end() && m->is_object()) {
    out += "Modelled step:            " + secondsText(number(*m, "step_s")) +
           ", of it exposed communication " +
           secondsText(number(*m, "exposed_communication_s")) + "\n";
    std::string busy;
    if (auto links = m->find("links"); links != m->end() && links->is_array())
      for (const auto &link : *links) {
        char share[32];
        std::snprintf(share, sizeof share, " %.1f %%",
                      100 * number(link, "busy_fraction"));
        busy += (busy.empty() ? "" : ", ") + get(link, "name") + share;
      }
    if (!busy.empty())
      out += "Modelled links busy:      " + busy + "\n";
  }
  if (auto m = r.find("measured"); m != r.end() && m->is_object()) {
    if (auto s = m->find("step_s"); s != m->end() && s->is_object())
      out += "Measured step:            " + secondsText(number(*s, "median")) +
             " (min " + secondsText(number(*s, "min")) + ", max " +
             secondsText(number(*s, "max")) + ", " + get(*m, "steps") +
             " steps)\n";
    out += "Measured bytes sent:      " +
           bytesText(number(*m, "bytes_sent_per_device")) + "\n";
  }
  return out;
}

std::string profileTable(std::string_view json) {
  ordered_json r = ordered_json::parse(json, nullptr, false);
  auto profile = r.is_object() ? r.find("profile") : r.end();
  if (!r.is_object() || profile == r.end() || !profile->is_array())
    return "no profile\n";
  double total = 0;
  for (const auto &row : *profile)
    total += number(row, "seconds");
  std::vector<std::vector<std::string>> rows = {
      {"share", "time", "calls", "what", "where"}};
  constexpr size_t most = 40;
  double rest = 0;
  for (const auto &row : *profile) {
    double s = number(row, "seconds");
    if (rows.size() > most) {
      rest += s;
      continue;
    }
    char share[16], calls[32];
    std::snprintf(share, sizeof(share), "%.1f %%",
                  total > 0 ? 100 * s / total : 0);
    std::snprintf(calls, sizeof(calls), "%.4g", number(row, "calls"));
    rows.push_back(
        {share, secondsText(s), calls, get(row, "what"), get(row, "where")});
  }
  std::string out =
      "Time per step and rank, without waiting: " + secondsText(total) + "\n" +
      layOut(rows, {true, true, true, false, false});
  if (rest > 0)
    out += "  and " + std::to_string(profile->size() - most) + " more, " +
           secondsText(rest) + "\n";
  return out;
}

} // namespace shoal::rt
