#include "bench/ratio.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "bench/child_process.h"
#include "bench/measure.h"
#include "bench/ratio_methods.h"
#include "bench/report.h"
#include "bench/wal_corpus.h"
#include "wal/record_reader.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>
#include <utility>

namespace walden::bench {

namespace {

/// What is known of one kind and method.
struct Row {
    std::uint64_t plain_size = 0;
    std::uint64_t stored_size = 0;
    double encode_ms = 0;  ///< of CPU, all segments of the kind; 0: not measured
    double verified_ms = 0;
    double decode_ms = 0;
    double one_shot_ms = 0;
    std::uint64_t one_shot_memory = 0;
};

using Rows = std::map<std::string, Row>;  ///< by method

constexpr std::string_view application_prefix = "app";

double mb_per_second(std::uint64_t bytes, double milliseconds) {
    return milliseconds <= 0 ? 0 : static_cast<double>(bytes) / 1000 / milliseconds;
}

/// One kind of WAL: its segments and what the methods made of them.
class KindRatio {
public:
    KindRatio(CorpusKind kind, const std::string& corpus)
        : kind_(std::move(kind)), directory_(corpus + "/" + kind_.name), methods_(ratio_methods()) {
        for (const RatioMethod& method : methods_) encode_all(method);
    }

    [[nodiscard]] const std::string& name() const { return kind_.name; }

    void measure_all(const RatioOptions& options) {
        std::vector<Stage> stages;
        for (RatioMethod& method : methods_) add_stages(method, options, stages);
        add(
            "integrity check", [this](const CorpusSegment& segment) { check(segment); }, stages);
        figures_ = measure(stages, {.run_count = options.run_count, .warm_up_count = 1});
        for (const Figure& figure : figures_) take(figure);
        if (options.runs_one_shot) measure_memory();
    }

    [[nodiscard]] const Rows& rows() const { return rows_; }

    [[nodiscard]] const std::vector<Figure>& figures() const { return figures_; }

    [[nodiscard]] double check_ms() const { return check_ms_; }

    [[nodiscard]] std::uint64_t size() const { return kind_.size(); }

private:
    /// Sizes, and that every byte comes back.
    void encode_all(const RatioMethod& method) {
        Row& row = rows_[method.name];
        std::vector<Bytes>& encoded = encoded_[method.name];
        for (const CorpusSegment& segment : kind_.segments) {
            Bytes out;
            method.encode(segment.bytes, out);
            Bytes back(segment.bytes.size());
            method.decode(out, back);
            if (back != segment.bytes)
                throw Error(ErrorKind::corrupt,
                            format("{} of {} does not come back", segment.name, method.name));
            row.plain_size += segment.bytes.size();
            row.stored_size += out.size();
            encoded.push_back(to_bytes(out));
        }
    }

    template <class Run>
    void add(std::string name, const Run& run, std::vector<Stage>& stages) {
        Stage stage;
        stage.name = kind_.name + " " + std::move(name);
        stage.bytes = kind_.size();
        stage.run = [this, run] {
            for (const CorpusSegment& segment : kind_.segments) run(segment);
        };
        stages.push_back(std::move(stage));
    }

    void add_stages(RatioMethod& method, const RatioOptions& options, std::vector<Stage>& stages) {
        add(
            method.name + " encode",
            [this, &method](const CorpusSegment& segment) {
                method.encode(segment.bytes, scratch_);
            },
            stages);
        if (method.encode_and_verify)
            add(
                method.name + " encode+verify",
                [this, &method](const CorpusSegment& segment) {
                    method.encode_and_verify(segment.bytes, scratch_);
                },
                stages);
        add(
            method.name + " decode",
            [this, &method](const CorpusSegment& segment) {
                const auto index = static_cast<std::size_t>(&segment - kind_.segments.data());
                scratch_.resize(segment.bytes.size());
                method.decode(encoded_[method.name][index], scratch_);
            },
            stages);
        if (options.runs_one_shot)
            add(
                method.name + " one-shot",
                [this, &method](const CorpusSegment& segment) {
                    require_child(one_shot(method, segment), "/");
                },
                stages);
    }

    [[nodiscard]] std::vector<std::string> one_shot(const RatioMethod& method,
                                                    const CorpusSegment& segment) const {
        return {"/proc/self/exe", "encode-once", method.name, directory_ + "/" + segment.name};
    }

    static void check(const CorpusSegment& segment) {
        const auto size = *wal::SegmentSize::from_bytes(segment.bytes.size());
        keep(wal::read_segment({.bytes = segment.bytes,
                                .name = *wal::parse_segment_name(segment.name, size),
                                .segment_size = size,
                                .system_identifier = std::nullopt,
                                .carry_in = nullptr})
                 .facts.record_count);
    }

    /// "oltp wal-zstd-1 encode+verify": kind, method, what.
    void take(const Figure& figure) {
        const std::string rest = figure.name.substr(kind_.name.size() + 1);
        if (rest == "integrity check") {
            check_ms_ = figure.cpu_ms.median;
            return;
        }
        const std::size_t space = rest.find(' ');
        Row& row = rows_[rest.substr(0, space)];
        const std::string what = rest.substr(space + 1);
        if (what == "encode") row.encode_ms = figure.cpu_ms.median;
        if (what == "encode+verify") row.verified_ms = figure.cpu_ms.median;
        if (what == "decode") row.decode_ms = figure.cpu_ms.median;
        if (what == "one-shot") row.one_shot_ms = figure.wall_ms.median;
    }

    void measure_memory() {
        for (const RatioMethod& method : methods_)
            rows_[method.name].one_shot_memory =
                peak_memory_of_child(one_shot(method, kind_.segments.front()), "/");
    }

    CorpusKind kind_;
    std::string directory_;
    std::vector<RatioMethod> methods_;
    std::map<std::string, std::vector<Bytes>> encoded_;
    Rows rows_;
    Bytes scratch_;
    std::vector<Figure> figures_;
    double check_ms_ = 0;
};

void print_line(const std::string& line) {
    std::puts(line.c_str());
    std::fflush(stdout);
}

void print_kind(const KindRatio& kind, std::size_t segment_count) {
    print_line(
        format("\n{}: ratio, MB/s of CPU time on one core, resident; ms and peak MiB of a fresh "
               "process per segment",
               kind.name()));
    print_line(format("{:<12} {:>9} {:>8} {:>8} {:>8} {:>8} {:>9} {:>7}", "method", "ratio",
                      "/zstd-1", "encode", "+verify", "decode", "one-shot", "peak"));
    const double zstd_1 = static_cast<double>(kind.rows().at("zstd-1").stored_size);
    for (const RatioMethod& method : ratio_methods()) {
        const Row& row = kind.rows().at(method.name);
        const auto stored = static_cast<double>(row.stored_size);
        print_line(format("{:<12} {:>9.2f} {:>8.3f} {:>8.0f} {:>8.0f} {:>8.0f} {:>9.1f} {:>7.1f}",
                          method.name, static_cast<double>(row.plain_size) / stored,
                          stored / zstd_1, mb_per_second(row.plain_size, row.encode_ms),
                          mb_per_second(row.plain_size, row.verified_ms),
                          mb_per_second(row.plain_size, row.decode_ms),
                          row.one_shot_ms / static_cast<double>(segment_count),
                          static_cast<double>(row.one_shot_memory) / 1048576));
    }
    print_line(format("integrity check alone: {:.2f} GB/s",
                      mb_per_second(kind.size(), kind.check_ms()) / 1000));
}

/// Geometric means over some kinds, of one figure against another.
class Comparison {
public:
    explicit Comparison(std::vector<const KindRatio*> kinds) : kinds_(std::move(kinds)) {}

    template <class Of>
    [[nodiscard]] double mean(const Of& of) const {
        double sum = 0;
        for (const KindRatio* kind : kinds_) sum += std::log(of(*kind));
        return std::exp(sum / static_cast<double>(kinds_.size()));
    }

    /// Bytes of `method` divided by those of `other`.
    [[nodiscard]] double size(const std::string& method, const std::string& other) const {
        return mean([&](const KindRatio& kind) {
            return static_cast<double>(kind.rows().at(method).stored_size) /
                   static_cast<double>(kind.rows().at(other).stored_size);
        });
    }

    /// How often `time` of `method` fits into the encode time of `other`.
    [[nodiscard]] double speed(const std::string& method, double Row::*time,
                               const std::string& other) const {
        return mean([&](const KindRatio& kind) {
            return kind.rows().at(other).encode_ms / (kind.rows().at(method).*time);
        });
    }

    [[nodiscard]] double decode_gb_per_second(const std::string& method) const {
        return mean([&](const KindRatio& kind) {
            const Row& row = kind.rows().at(method);
            return mb_per_second(row.plain_size, row.decode_ms) / 1000;
        });
    }

    [[nodiscard]] double check_gb_per_second() const {
        return mean([](const KindRatio& kind) {
            return mb_per_second(kind.size(), kind.check_ms()) / 1000;
        });
    }

private:
    std::vector<const KindRatio*> kinds_;
};

class Bars {
public:
    void at_most(const std::string& what, double value, double bar) {
        judge(what, value, bar, value <= bar, "at most");
    }

    void at_least(const std::string& what, double value, double bar) {
        judge(what, value, bar, value >= bar, "at least");
    }

    [[nodiscard]] bool all_met() const { return all_met_; }

private:
    void judge(const std::string& what, double value, double bar, bool is_met,
               std::string_view relation) {
        all_met_ = all_met_ && is_met;
        print_line(format("{:<52} {:>7.3f}  ({} {}){}", what, value, relation, bar,
                          is_met ? "" : "  MISSED"));
    }

    bool all_met_ = true;
};

/// The bars of the project, each in the same run as what it is compared with.
bool judge(const std::vector<KindRatio>& kinds) {
    constexpr const char* ours = "wal-zstd-1";
    std::vector<const KindRatio*> oltp;
    std::vector<const KindRatio*> applications;
    std::vector<const KindRatio*> all;
    for (const KindRatio& kind : kinds) {
        if (kind.name() == "oltp") oltp.push_back(&kind);
        if (kind.name().starts_with(application_prefix)) applications.push_back(&kind);
        if (kind.name() == "oltp" || kind.name().starts_with(application_prefix))
            all.push_back(&kind);
    }
    Bars bars;
    print_line("\nbars, of wal-zstd-1");
    if (!oltp.empty()) {
        const Comparison steady(oltp);
        bars.at_most("steady OLTP, bytes of zstd-1's", steady.size(ours, "zstd-1"), 0.28);
        bars.at_least("steady OLTP, encode speed of zstd-1's",
                      steady.speed(ours, &Row::encode_ms, "zstd-1"), 1.3);
    }
    if (!applications.empty()) {
        const Comparison app(applications);
        bars.at_most("applications, bytes of zstd-1's", app.size(ours, "zstd-1"), 0.58);
        bars.at_most("applications, bytes of zstd-3's", app.size(ours, "zstd-3"), 0.62);
        bars.at_least("applications, encode speed of zstd-1's",
                      app.speed(ours, &Row::encode_ms, "zstd-1"), 1.0);
    }
    if (!all.empty()) {
        const Comparison both(all);
        bars.at_least("encode+verify, speed of zstd-3's encode",
                      both.speed(ours, &Row::verified_ms, "zstd-3"), 1.0);
        bars.at_least("decode, GB/s", both.decode_gb_per_second(ours), 0.9);
        bars.at_least("integrity check alone, GB/s", both.check_gb_per_second(), 4.0);
    }
    print_line("wrong bytes: 0");
    return bars.all_met();
}

}  // namespace

bool run_ratio(const RatioOptions& options) {
    std::vector<KindRatio> kinds;
    for (CorpusKind& kind : load_wal_corpus(options.corpus, options.segment_count)) {
        if (!options.kinds.empty() &&
            ("," + options.kinds + ",").find("," + kind.name + ",") == std::string::npos)
            continue;
        kinds.emplace_back(std::move(kind), options.corpus);
    }
    if (kinds.empty())
        throw Error(ErrorKind::usage,
                    format("corpus \"{}\" has none of these kinds", options.corpus));
    for (KindRatio& kind : kinds) {
        kind.measure_all(options);
        if (options.prints_json)
            std::fputs(to_json_lines(kind.figures(), describe_environment()).c_str(), stdout);
        else
            print_kind(kind, options.segment_count);
    }
    return options.prints_json || judge(kinds);
}

void encode_once(const std::string& method, const std::string& path) {
    const auto plain = read_file(path, std::size_t{1} << 30);
    if (!plain) throw Error(ErrorKind::not_found, format("there is no \"{}\"", path));
    for (const RatioMethod& known : ratio_methods()) {
        if (known.name != method) continue;
        Bytes out;
        (known.encode_and_verify ? known.encode_and_verify : known.encode)(*plain, out);
        keep(out.size());
        return;
    }
    throw Error(ErrorKind::usage, format("unknown method \"{}\"", method));
}

}  // namespace walden::bench
