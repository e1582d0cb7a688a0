#include "Network.h"

#include <algorithm>
#include <limits>

namespace shoal::simulation {

void Network::progress(double now) {
  for (Transfer &t : active)
    t.remaining -= (now - time) * t.rate;
  time = now;
}

/// Rates after the set of transfers has changed. A link that is asked for more
/// than all of its time slows down everyone on it by the same factor, and a
/// collective is as fast as its slowest member.
void Network::share() {
  std::fill(out.begin(), out.end(), 0.0);
  std::fill(in.begin(), in.end(), 0.0);
  auto add = [&](const Transfer &t, const std::vector<uint32_t> &ranks,
                 std::vector<double> &load) {
    for (uint32_t rank : ranks)
      for (size_t l = 0; l < levels; ++l)
        load[rank * levels + l] += t.use[l];
  };
  for (const Transfer &t : active) {
    add(t, t.senders, out);
    add(t, t.receivers, in);
  }
  for (Transfer &t : active) {
    double slowest = 1;
    auto wait = [&](const std::vector<uint32_t> &ranks,
                    const std::vector<double> &load) {
      for (uint32_t rank : ranks)
        for (size_t l = 0; l < levels; ++l)
          if (t.use[l] > 0)
            slowest = std::max(slowest, load[rank * levels + l]);
    };
    wait(t.senders, out);
    wait(t.receivers, in);
    t.rate = 1 / slowest;
  }
}

size_t Network::begin(double now, const CollectiveTime &collective,
                      std::vector<uint32_t> senders,
                      std::vector<uint32_t> receivers) {
  progress(now);
  Transfer t;
  t.number = count++;
  t.remaining = collective.seconds;
  t.use.assign(levels, 0.0);
  for (size_t l = 0; l < std::min(levels, collective.busy.size()); ++l)
    if (collective.seconds > 0)
      t.use[l] = collective.busy[l] / collective.seconds;
  t.senders = std::move(senders);
  t.receivers = std::move(receivers);
  active.push_back(std::move(t));
  share();
  return count - 1;
}

double Network::nextEnd() const {
  double end = std::numeric_limits<double>::infinity();
  for (const Transfer &t : active)
    end = std::min(end, time + std::max(0.0, t.remaining) / t.rate);
  return end;
}

std::vector<size_t> Network::advance(double now) {
  progress(now);
  std::vector<size_t> ended;
  std::erase_if(active, [&](const Transfer &t) {
    // Rounding: less than a ten-thousandth of a nanosecond is nothing.
    if (t.remaining > 1e-13)
      return false;
    ended.push_back(t.number);
    return true;
  });
  if (!ended.empty())
    share();
  return ended;
}

} // namespace shoal::simulation
