#include "bench/scratch_cluster.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "base/hash.h"
#include "bench/child_process.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

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

ScratchCluster::ScratchCluster(const std::string& parent, std::string programs,
                               std::string segment_name, ByteView segment,
                               const std::string& settings)
    : directory_(format("{}/walden-bench.{}", parent, ::getpid())),
      segment_name_(std::move(segment_name)),
      pgdata_(directory_ + "/data"),
      config_(directory_ + "/walden.toml") {
    for (const char* name : {"/data/global", "/data/pg_wal", "/state"})
        make_directories(directory_ + name);
    write_file_durably(pgdata_ + "/global/pg_control", make_control_file(segment), 0600);
    write_file_durably(pgdata_ + "/PG_VERSION", as_bytes("15\n"), 0600);
    write_file_durably(pgdata_ + "/" + segment_path(), segment, 0600);
    const std::string text = format(
        "cluster = \"bench\"\npgdata = \"{}\"\nstate_dir = \"{}/state\"\n[store]\nurl = "
        "\"file://{}/store\"\n[agent]\nenabled = false\n[encryption]\nkey_file = \"{}/key\"\n{}",
        pgdata_, directory_, directory_, directory_, settings);
    write_file_durably(config_, as_bytes(text), 0600);
    require_child({programs + "/walden", "--config", config_, "init"}, directory_);
    fs::copy(directory_ + "/store", directory_ + "/store.empty", fs::copy_options::recursive);
}

ScratchCluster::~ScratchCluster() {
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
}

void ScratchCluster::empty_archive() const {
    fs::remove_all(directory_ + "/store");
    fs::remove_all(directory_ + "/state");
    fs::copy(directory_ + "/store.empty", directory_ + "/store", fs::copy_options::recursive);
}

std::uint64_t ScratchCluster::archived_bytes() const {
    std::uint64_t sum = 0;
    for (const auto& file : fs::recursive_directory_iterator(directory_ + "/store/clusters"))
        if (file.is_regular_file() && file.path().filename() != "identity") sum += file.file_size();
    return sum;
}

}  // namespace walden::bench
