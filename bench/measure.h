// Measuring: runs of alternatives in turn, wall and CPU time, spread rather than a single number.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace walden::bench {

/// Something to measure. What `run` needs must outlive the stage.
struct Stage {
    std::string name;         ///< "encode zstd-1 oltp"; the same name means comparable figures
    std::uint64_t bytes = 0;  ///< what one run processes, for MB/s; 0 where that means nothing
    std::function<void()> run;
    std::function<void()> prepare = [] {};  ///< before each run, not measured
};

struct Spread {
    double median = 0;
    double min = 0;
    double max = 0;
};

/// Median (the mean of the middle two of an even count), smallest and largest; not of nothing.
[[nodiscard]] Spread spread_of(std::vector<double> values);

/// What was found about one stage.
struct Figure {
    std::string name;
    std::uint64_t bytes = 0;
    std::size_t run_count = 0;
    Spread wall_ms;
    Spread cpu_ms;    ///< of all threads of this process and of waited-for children
    double load = 0;  ///< largest one-minute load average seen before a run
    std::uint64_t peak_rss_bytes = 0;  ///< of the process during a run; 0 if the kernel hides it

    /// 10^6 bytes a second by the median wall time; 0 where bytes are 0.
    [[nodiscard]] double mb_per_second() const;
};

struct MeasureOptions {
    std::size_t run_count = 10;
    std::size_t warm_up_count = 1;  ///< runs before, not counted: caches, page faults, contexts
};

/// Runs the stages in turn, round after round, so that whatever else the machine does falls on all
/// of them alike; below the spread there is no difference. One thread at a time. An exception of a
/// stage ends the measurement.
[[nodiscard]] std::vector<Figure> measure(std::span<const Stage> stages,
                                          const MeasureOptions& options);

/// Makes the compiler believe that `value` is needed, so that it computes it.
template <class T>
inline void keep(const T& value) {
    asm volatile("" : : "r,m"(value) : "memory");
}

}  // namespace walden::bench
