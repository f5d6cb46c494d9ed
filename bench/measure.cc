#include "bench/measure.h"

#include "base/error.h"
#include "base/file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <fstream>

namespace walden::bench {

namespace {

struct Samples {
    std::vector<double> wall_ms;
    std::vector<double> cpu_ms;
    double load = 0;
    std::uint64_t peak_rss_bytes = 0;
};

double milliseconds_of(const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) / 1e3;
}

double children_cpu_ms() {
    rusage usage{};
    ::getrusage(RUSAGE_CHILDREN, &usage);
    return milliseconds_of(usage.ru_utime) + milliseconds_of(usage.ru_stime);
}

double process_cpu_ms() {
    timespec now{};
    if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) != 0)
        throw Error(ErrorKind::io, "the CPU time of this process cannot be read");
    return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6 +
           children_cpu_ms();
}

double load_average() {
    double load = 0;
    return ::getloadavg(&load, 1) == 1 ? load : 0;
}

/// Sets the peak back to what is resident now (proc(5), /proc/pid/clear_refs).
void reset_peak_rss() {
    const FileDescriptor fd(::open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC));
    // A kernel without it leaves the peak of earlier runs in the figure.
    if (fd.valid() && ::write(fd.get(), "5", 1) != 1) return;
}

std::uint64_t peak_rss_bytes() {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;) {
        std::uint64_t kib = 0;
        if (word == "VmHWM:" && status >> kib) return kib * 1024;
    }
    return 0;
}

void run_once(const Stage& stage, Samples& samples) {
    stage.prepare();
    samples.load = std::max(samples.load, load_average());
    reset_peak_rss();
    const double cpu_before = process_cpu_ms();
    const auto wall_before = std::chrono::steady_clock::now();
    stage.run();
    const std::chrono::duration<double, std::milli> wall =
        std::chrono::steady_clock::now() - wall_before;
    samples.cpu_ms.push_back(process_cpu_ms() - cpu_before);
    samples.wall_ms.push_back(wall.count());
    samples.peak_rss_bytes = std::max(samples.peak_rss_bytes, peak_rss_bytes());
}

}  // namespace

Spread spread_of(std::vector<double> values) {
    assert(!values.empty());
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    const double median =
        values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
    return {median, values.front(), values.back()};
}

double Figure::mb_per_second() const {
    return wall_ms.median > 0 ? static_cast<double>(bytes) / 1e3 / wall_ms.median : 0;
}

std::vector<Figure> measure(std::span<const Stage> stages, const MeasureOptions& options) {
    assert(options.run_count > 0);
    for (std::size_t i = 0; i < options.warm_up_count; ++i)
        for (const Stage& stage : stages) {
            stage.prepare();
            stage.run();
        }
    std::vector<Samples> samples(stages.size());
    for (std::size_t round = 0; round < options.run_count; ++round)
        for (std::size_t i = 0; i < stages.size(); ++i) run_once(stages[i], samples[i]);
    std::vector<Figure> figures;
    for (std::size_t i = 0; i < stages.size(); ++i) {
        Figure figure;
        figure.name = stages[i].name;
        figure.bytes = stages[i].bytes;
        figure.run_count = options.run_count;
        figure.wall_ms = spread_of(samples[i].wall_ms);
        figure.cpu_ms = spread_of(samples[i].cpu_ms);
        figure.load = samples[i].load;
        figure.peak_rss_bytes = samples[i].peak_rss_bytes;
        figures.push_back(std::move(figure));
    }
    return figures;
}

}  // namespace walden::bench
