// A cluster's archive over any storage, and the hosts that push into it: what the tests of vault,
// archive, recovery and inspect share.
#pragma once

#include "archive/archiver.h"
#include "crypto/key_bundle.h"
#include "inspect/verifier.h"
#include "recovery/fetcher.h"
#include "support/memory_storage.h"
#include "support/scratch_directory.h"
#include "support/wal_builder.h"
#include "vault/cluster_vault.h"

#include <optional>
#include <string>
#include <vector>

namespace walden::test {

inline const wal::SegmentSize test_segment_size = *wal::SegmentSize::from_bytes(1 << 20);
inline constexpr std::uint64_t test_system = 7'301'234'567'890'123'456;
inline constexpr std::string_view test_cluster = "main";

[[nodiscard]] crypto::RepositoryId test_repository();

/// One read bundle for the whole program: making X25519 keys for each case would be slow.
[[nodiscard]] const crypto::KeyBundle& test_read_bundle();

[[nodiscard]] vault::ClusterKeyring test_keyring(crypto::Suite suite);
[[nodiscard]] vault::ClusterKeyring test_put_keyring();

[[nodiscard]] vault::ClusterVault make_vault(vault::ObjectStorage& storage,
                                             crypto::Suite suite = crypto::Suite::aes_256_gcm);

void put_test_identity(const vault::ClusterVault& vault);

/// A file as it lies in pg_wal.
struct WalFile {
    std::string name;
    Bytes bytes;
};

struct LineOptions {
    wal::SegmentName first = {1, 5};
    std::size_t count = 3;
    std::uint32_t seed = 1;
    std::size_t record_count = 60;  ///< of 2000 random bytes: more than 32 do not fit into an entry
};

/// Consecutive segments of one timeline, each ended by a switch, mostly zeros: quick to hash.
[[nodiscard]] std::vector<WalFile> make_line(const LineOptions& options = {});

/// Two timelines: 5 and 6 whole and 7 left in the middle on timeline 1; 7 and 8 on timeline 2.
struct Fork {
    std::vector<WalFile> parent;  ///< the last one incomplete, under its full name
    WalFile history;
    std::vector<WalFile> child;
    wal::Lsn switch_point;
};

[[nodiscard]] Fork make_fork();

/// A server: its pg_wal, and where its walden keeps its state.
class Host {
public:
    explicit Host(const std::string& name = "db1");

    void put_file(const WalFile& file) const;
    void put_files(const std::vector<WalFile>& files) const;

    /// What one run of walden-push does, in a process of its own. The file must be there.
    archive::ArchiveResult push(const vault::ClusterVault& vault, const std::string& name) const;

    /// Puts the file there, and pushes it.
    archive::ArchiveResult push(const vault::ClusterVault& vault, const WalFile& file) const;

    vault::Claim adopt(const vault::ClusterVault& vault, wal::TimelineId timeline) const;

    void lose_state() const;

    [[nodiscard]] archive::LocalState state() const;

    [[nodiscard]] std::string wal_directory() const { return scratch_.path() + "/pg_wal"; }

    [[nodiscard]] std::string state_path() const { return state().path(); }

    [[nodiscard]] std::string path(const std::string& name) const {
        return wal_directory() + "/" + name;
    }

    archive::ArchiveSettings settings;

private:
    testing::ScratchDirectory scratch_;
};

[[nodiscard]] recovery::Fetcher make_fetcher(const vault::ClusterVault& vault);

/// The delivered bytes, nullopt if the archive positively has no such file.
[[nodiscard]] std::optional<Bytes> fetch(const vault::ClusterVault& vault, const std::string& name);

[[nodiscard]] std::vector<std::string> keys_of(vault::ObjectStorage& storage,
                                               const std::string& prefix = "");
[[nodiscard]] Bytes get(vault::ObjectStorage& storage, const std::string& key);

[[nodiscard]] inspect::VerifyReport verify(const vault::ClusterVault& vault);

/// All problems in one text; empty for a sound archive.
[[nodiscard]] std::string problems_of(const inspect::VerifyReport& report);

/// `from` copied into `to`, which is emptied first.
void copy_storage(vault::ObjectStorage& from, vault::ObjectStorage& to);

}  // namespace walden::test
