// The report as a table for people.
#ifndef SHOAL_RUNTIME_REPORTTABLE_H
#define SHOAL_RUNTIME_REPORTTABLE_H

#include <string>
#include <string_view>

namespace shoal::rt {

/// Formats a report.json (DESIGN.md section 4): mesh, arguments, collectives
/// with their bytes and reasons, totals. Missing parts are left out.
std::string reportTable(std::string_view json);

/// The section `profile` of a report as text: where a step's time goes.
std::string profileTable(std::string_view json);

} // namespace shoal::rt

#endif // SHOAL_RUNTIME_REPORTTABLE_H
