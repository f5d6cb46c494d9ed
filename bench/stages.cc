#include "bench/stages.h"

#include "base/error.h"
#include "base/format.h"
#include "base/random.h"
#include "bench/child_process.h"
#include "bench/machine_limits.h"
#include "bench/report.h"
#include "bench/scratch_cluster.h"
#include "bench/wal_corpus.h"
#include "codec/codec.h"
#include "crypto/content_id.h"
#include "vault/container.h"
#include "vault/layout.h"
#include "wal/record_reader.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

namespace walden::bench {

namespace {

/// Two segments, the second of which is measured.
std::vector<CorpusSegment> pick_segments(const StagesOptions& options) {
    for (CorpusKind& kind : load_wal_corpus(options.corpus, 2))
        if (kind.name == options.kind && kind.segments.size() == 2) return std::move(kind.segments);
    throw Error(ErrorKind::usage, format("corpus \"{}\" has no two segments of kind \"{}\"",
                                         options.corpus, options.kind));
}

/// The steps inside one process, on one thread unless the name says otherwise.
class LibraryStages {
public:
    explicit LibraryStages(const CorpusSegment& segment)
        : segment_(segment),
          size_(*wal::SegmentSize::from_bytes(segment.bytes.size())),
          name_(*wal::parse_segment_name(segment.name, size_)),
          keys_(std::make_shared<const crypto::KeyBundle>(
                    crypto::KeyBundle::create(random_array<16>())),
                "bench"),
          encoded_(codec::encode(segment.bytes, {.method = codec::CodecId::zstd})),
          key_("content/" + segment.name),
          sealed_(seal()) {}

    std::vector<Stage> stages() {
        std::vector<Stage> all;
        const auto add = [&](std::string name, std::function<void()> run) {
            Stage stage;
            stage.name = std::move(name);
            stage.bytes = segment_.bytes.size();
            stage.run = std::move(run);
            all.push_back(std::move(stage));
        };
        add("parse + verify", [this] { parse(); });
        add("content id",
            [this] { keep(crypto::ContentIdHash(id_key()).compute(segment_.bytes, 1)); });
        add("content id, 2 threads",
            [this] { keep(crypto::ContentIdHash(id_key()).compute(segment_.bytes, 2)); });
        for (const Method& method : {Method{"zstd 1", codec::CodecId::zstd, 1, 1},
                                     Method{"zstd 1, 2 threads", codec::CodecId::zstd, 1, 2},
                                     Method{"zstd 3", codec::CodecId::zstd, 3, 1},
                                     Method{"lz4", codec::CodecId::lz4, 1, 1}})
            add(format("encode + check {}", method.label), [this, method] {
                keep(codec::encode(segment_.bytes, {.method = method.codec,
                                                    .level = method.level,
                                                    .worker_count = method.workers})
                         .bytes.size());
            });
        add("seal", [this] { keep(seal().size()); });
        add("unseal",
            [this] { keep(vault::unseal_object(keys_, place(), sealed_).encoded.size()); });
        add("decode zstd 1", [this] { decode(1); });
        add("decode zstd 1, 2 threads", [this] { decode(2); });
        return all;
    }

private:
    struct Method {
        const char* label;
        codec::CodecId codec;
        int level;
        std::size_t workers;
    };

    void parse() const {
        const wal::SegmentReport report = wal::read_segment({.bytes = segment_.bytes,
                                                             .name = name_,
                                                             .segment_size = size_,
                                                             .system_identifier = std::nullopt,
                                                             .carry_in = nullptr});
        if (!report.is_complete())
            throw Error(ErrorKind::corrupt, format("{}: {}", segment_.name, report.reason));
        keep(report.facts.record_count);
    }

    void decode(std::size_t workers) {
        codec::decode(encoded_.codec, encoded_.bytes, segment_.bytes.size(), workers, decoded_);
        keep(decoded_.size());
    }

    [[nodiscard]] crypto::ContentIdKey id_key() const { return keys_.content_id_key(); }

    [[nodiscard]] vault::ObjectPlace place() const {
        return {.kind = vault::ObjectKind::content, .key = key_};
    }

    [[nodiscard]] Bytes seal() const {
        return vault::seal_object(keys_, place(),
                                  {.codec = encoded_.codec,
                                   .plain_size = segment_.bytes.size(),
                                   .content_id = {},
                                   .encoded = encoded_.bytes});
    }

    const CorpusSegment& segment_;
    wal::SegmentSize size_;
    wal::SegmentName name_;
    vault::ClusterKeyring keys_;
    codec::Encoded encoded_;
    std::string key_;
    Bytes sealed_;
    Bytes decoded_;
};

/// The programs as PostgreSQL starts them, but for the shell.
class ProgramStages {
public:
    ProgramStages(const StagesOptions& options, const CorpusSegment& before,
                  const CorpusSegment& segment)
        : programs_(options.programs),
          cluster_(options.scratch, options.programs, before, segment),
          size_(segment.bytes.size()),
          segment_name_(segment.name),
          target_(cluster_.pgdata() + "/pg_wal/RECOVERYXLOG") {}

    std::vector<Stage> stages() {
        std::vector<Stage> all(6);
        all[0] = {.name = "start /bin/true", .bytes = 0, .run = [this] { start("/bin/true"); }};
        all[1] = {.name = "start walden-push", .bytes = 0, .run = [this] {
                      start(programs_ + "/walden-push");
                  }};
        all[2] = {.name = "start walden-fetch", .bytes = 0, .run = [this] {
                      start(programs_ + "/walden-fetch");
                  }};
        all[3] = {.name = "walden-push, fresh segment",
                  .bytes = size_,
                  .run = [this] { push(); },
                  .prepare = [this] { cluster_.reset_archive(); }};
        all[4] = {
            .name = "walden-push, archived before", .bytes = size_, .run = [this] { push(); }};
        all[5] = {.name = "walden-fetch, cold",
                  .bytes = size_,
                  .run = [this] { fetch(); },
                  .prepare = [this] { std::remove(target_.c_str()); }};
        return all;
    }

    /// What does not fit the table: bytes, memory and system calls.
    void print_totals() const {
        const std::uint64_t stored = cluster_.archived_bytes();
        std::puts(format("stored: {} of {} bytes, {:.3f} : 1", stored, size_,
                         static_cast<double>(size_) / static_cast<double>(stored))
                      .c_str());
        const auto print = [&](const char* what, const std::vector<std::string>& argv,
                               const std::function<void()>& prepare) {
            prepare();
            const std::uint64_t memory = peak_memory_of_child(argv, cluster_.pgdata());
            prepare();
            std::puts(format("{}: peak memory {:.1f} MiB, {} system calls", what,
                             static_cast<double>(memory) / 1048576,
                             system_calls_of_child(argv, cluster_.pgdata()))
                          .c_str());
        };
        print("walden-push, fresh segment", push_argv(), [&] { cluster_.reset_archive(); });
        print("walden-push, archived before", push_argv(), [] {});
        print("walden-fetch, cold", fetch_argv(), [&] { std::remove(target_.c_str()); });
    }

private:
    void start(const std::string& program) const { require_child({program, "--version"}, "/"); }

    [[nodiscard]] std::vector<std::string> push_argv() const {
        return {programs_ + "/walden-push", "--config", cluster_.config(), cluster_.segment_path()};
    }

    [[nodiscard]] std::vector<std::string> fetch_argv() const {
        return {programs_ + "/walden-fetch", "--config", cluster_.config(), segment_name_,
                "pg_wal/RECOVERYXLOG"};
    }

    void push() const { require_child(push_argv(), cluster_.pgdata()); }

    void fetch() const { require_child(fetch_argv(), cluster_.pgdata()); }

    std::string programs_;
    ScratchCluster cluster_;
    std::uint64_t size_;
    std::string segment_name_;
    std::string target_;
};

}  // namespace

void run_stages(const StagesOptions& options) {
    const std::vector<CorpusSegment> segments = pick_segments(options);
    const CorpusSegment& segment = segments.back();
    MachineLimits limits(segment.bytes, options.scratch);
    LibraryStages library(segment);
    ProgramStages programs(options, segments.front(), segment);
    std::vector<Stage> all = limits.stages();
    std::ranges::move(library.stages(), std::back_inserter(all));
    std::ranges::move(programs.stages(), std::back_inserter(all));

    const auto figures = measure(all, {.run_count = options.run_count, .warm_up_count = 1});
    if (options.prints_json) {
        std::fputs(to_json_lines(figures, describe_environment()).c_str(), stdout);
        return;
    }
    std::puts(
        format("one {} segment, {} of {}", options.kind, segment.name, options.corpus).c_str());
    std::fputs(to_table(figures).c_str(), stdout);
    programs.print_totals();
}

}  // namespace walden::bench
