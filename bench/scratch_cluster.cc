#include "bench/scratch_cluster.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "base/hash.h"
#include "bench/child_process.h"

namespace walden::bench {

namespace fs = std::filesystem;

namespace {

/// Enough of PostgreSQL 15's pg_control for a reader that checks its CRC.
Bytes make_control_file(ByteView segment) {
    constexpr std::size_t crc_offset = 288;
    constexpr std::size_t system_identifier_offset = 24;  // in the long page header
    Bytes control(8192, std::byte{0});
    std::copy_n(segment.begin() + system_identifier_offset, 8, control.begin());
    store_le(control.data() + 8, std::uint32_t{1300});
    store_le(control.data() + 16, std::uint32_t{6});  // in production
    store_le(control.data() + crc_offset, crc32c(ByteView(control).first(crc_offset)));
    return control;
}

}  // namespace

ScratchCluster::ScratchCluster(const std::string& parent, const std::string& programs,
                               const CorpusSegment& before, const CorpusSegment& segment)
    : directory_(format("{}/walden-bench.{}", parent, ::getpid())),
      segment_name_(segment.name),
      pgdata_(directory_ + "/data"),
      config_(directory_ + "/walden.toml") {
    for (const char* name : {"/data/global", "/data/pg_wal", "/state"})
        make_directories(directory_ + name);
    write_file_durably(pgdata_ + "/global/pg_control", make_control_file(segment.bytes), 0600);
    write_file_durably(pgdata_ + "/PG_VERSION", as_bytes("15\n"), 0600);
    for (const CorpusSegment* file : {&before, &segment})
        write_file_durably(pgdata_ + "/pg_wal/" + file->name, file->bytes, 0600);
    const std::string text =
        format("cluster = \"bench\"\npgdata = \"{}\"\nstate_dir = \"{}/state\"\n[store]\nurl = "
               "\"file://{}/store\"\n[encryption]\nkey_file = \"{}/key\"\n",
               pgdata_, directory_, directory_, directory_);
    write_file_durably(config_, as_bytes(text), 0600);
    require_child({programs + "/walden", "--config", config_, "init"}, directory_);
    require_child({programs + "/walden-push", "--config", config_, "pg_wal/" + before.name},
                  pgdata_);
    for (const std::string name : {"/store", "/state"})
        fs::copy(directory_ + name, directory_ + name + ".before",
                 fs::copy_options::recursive);
}

ScratchCluster::~ScratchCluster() {
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
}

void ScratchCluster::reset_archive() const {
    for (const std::string name : {"/store", "/state"}) {
        fs::remove_all(directory_ + name);
        fs::copy(directory_ + name + ".before", directory_ + name, fs::copy_options::recursive);
    }
    // The copies are not what is measured: a sync during the next run must not pay for them.
    ::sync();
}

std::uint64_t ScratchCluster::object_bytes(const std::string& store) const {
    std::uint64_t sum = 0;
    for (const auto& file : fs::recursive_directory_iterator(directory_ + store))
        if (file.is_regular_file()) sum += file.file_size();
    return sum;
}

std::uint64_t ScratchCluster::archived_bytes() const {
    return object_bytes("/store") - object_bytes("/store.before");
}

}  // namespace walden::bench
