#include "bench/report.h"

#include "base/format.h"
#include "build_commit.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace walden::bench {

namespace {

std::string quoted(std::string_view text) {
    std::string json = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\')
            json += format("\\{}", c);
        else if (static_cast<unsigned char>(c) < 0x20)
            json += format("\\u{:04x}", static_cast<unsigned>(c));
        else
            json += c;
    }
    return json + '"';
}

std::string to_json(const Spread& spread) {
    return format("{{\"median\":{:.4f},\"min\":{:.4f},\"max\":{:.4f}}}", spread.median, spread.min,
                  spread.max);
}

std::string processor_name() {
    std::ifstream cpuinfo("/proc/cpuinfo");
    for (std::string line; std::getline(cpuinfo, line);)
        if (line.starts_with("model name") && line.find(": ") != std::string::npos)
            return line.substr(line.find(": ") + 2);
    return "unknown processor";
}

std::string compiler_name() {
#if defined(__clang__)
    const std::string name = "clang " __clang_version__;
#else
    const std::string name = "gcc " __VERSION__;
#endif
#if defined(__OPTIMIZE__)
    return name + ", optimised";
#else
    return name + ", NOT optimised";
#endif
}

}  // namespace

Environment describe_environment() {
    utsname kernel{};
    ::uname(&kernel);
    return {build_commit, compiler_name(),
            format("{}, {} processors, {} {}", processor_name(), ::sysconf(_SC_NPROCESSORS_ONLN),
                   kernel.sysname, kernel.release)};
}

std::string to_json_lines(std::span<const Figure> figures, const Environment& environment) {
    std::string lines;
    for (const Figure& figure : figures)
        lines += format(
            "{{\"name\":{},\"bytes\":{},\"runs\":{},\"wall_ms\":{},\"cpu_ms\":{},"
            "\"mb_per_s\":{:.1f},\"load\":{:.2f},\"peak_rss\":{},"
            "\"commit\":{},\"compiler\":{},\"machine\":{}}}\n",
            quoted(figure.name), figure.bytes, figure.run_count, to_json(figure.wall_ms),
            to_json(figure.cpu_ms), figure.mb_per_second(), figure.load, figure.peak_rss_bytes,
            quoted(environment.commit), quoted(environment.compiler), quoted(environment.machine));
    return lines;
}

std::string to_table(std::span<const Figure> figures) {
    std::size_t width = 5;
    for (const Figure& figure : figures) width = std::max(width, figure.name.size());
    std::string table =
        format("{:<{}} {:>9} {:>9} {:>9} {:>9} {:>9} {:>6} {:>8}\n", "stage", width, "median ms",
               "min ms", "max ms", "cpu ms", "MB/s", "load", "RSS MiB");
    for (const Figure& figure : figures)
        table += format("{:<{}} {:>9.3f} {:>9.3f} {:>9.3f} {:>9.3f} {:>9.1f} {:>6.2f} {:>8.1f}\n",
                        figure.name, width, figure.wall_ms.median, figure.wall_ms.min,
                        figure.wall_ms.max, figure.cpu_ms.median, figure.mb_per_second(),
                        figure.load, static_cast<double>(figure.peak_rss_bytes) / (1 << 20));
    return table;
}

}  // namespace walden::bench
