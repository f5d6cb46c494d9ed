// The commands of `walden`. Each returns the exit status: 0 all is well, 1 something is not.
#pragma once

#include <cstdint>
#include <string>

namespace walden::commands {

enum class Output : std::uint8_t { text, json };

struct Common {
    std::string config_path;  ///< empty: the default
    Output output = Output::text;
};

struct InitOptions {
    bool registers_new_system = false;  ///< after initdb or pg_upgrade
    bool accepts_unfenced = false;
};

int init(const Common& common, const InitOptions& options);

struct CheckOptions {
    bool asks_server = true;
    std::string conninfo;  ///< libpq's; empty: PGHOST and the like
    bool archives = true;  ///< has the server end its segment, and waits until that is archived
    std::uint32_t target_timeline = 0;  ///< that recovery is to follow; 0: the latest
};

int check(const Common& common, const CheckOptions& options);

int info(const Common& common);

struct VerifyOptions {
    bool is_shallow = false;
};

int verify(const Common& common, const VerifyOptions& options);

struct UnpackOptions {
    std::string path;         ///< a content object, copied from the store
    std::string output_path;  ///< must not exist
    std::string object_key;   ///< the key that it had in the store; empty: its name tells
};

int unpack(const Common& common, const UnpackOptions& options);

int adopt(const Common& common, std::uint32_t timeline);

struct BackfillOptions {
    bool is_dry_run = false;
};

int backfill(const Common& common, const BackfillOptions& options);

struct AgentOptions {
    bool stops = false;  ///< the running one, instead of being one
    int ready_fd = -1;   ///< started on demand: told when it listens
};

int agent(const Common& common, const AgentOptions& options);

int push(const Common& common, const std::string& path);

struct FlushOptions {
    std::uint32_t timeout_seconds = 0;  ///< 0: as long as it takes
};

int flush(const Common& common, const FlushOptions& options);

struct StatusOptions {
    bool is_prometheus = false;
    std::string conninfo;  ///< of a recovering server; empty: as postmaster.pid says
};

int status(const Common& common, const StatusOptions& options);

struct ExpireOptions {
    bool is_dry_run = false;
    std::uint32_t older_than_hours = 24;  ///< multipart uploads
};

int expire(const Common& common, const ExpireOptions& options);

struct BackupOptions {
    bool is_full = false;
    std::string label;
    bool is_fast = true;     ///< the checkpoint, at once
    std::uint32_t jobs = 0;  ///< 0: as many as processors
    std::string rate;        ///< "100MiB" a second at most; empty: as fast as it goes
    std::string conninfo;
};

int backup(const Common& common, const BackupOptions& options);

struct RestoreOptions {
    std::string directory;
    bool is_latest = false;
    std::uint32_t jobs = 0;
};

int restore(const Common& common, const RestoreOptions& options);

struct KeyOptions {
    std::string bundle = "read";         ///< of the key to add
    std::string key_file;                ///< to write (add) or to test
    bool is_passphrase = false;          ///< the key to add or to test is a passphrase
    std::string label;                   ///< of the key to add
    std::string slot;                    ///< to remove: slot id, or its unique beginning
    bool completes = false;              ///< a rotation that was interrupted
    bool unlocks_by_passphrase = false;  ///< open the repository by passphrase, not as configured
};

int list_keys(const Common& common, const KeyOptions& options);
int add_key(const Common& common, const KeyOptions& options);
int remove_key(const Common& common, const KeyOptions& options);
int rotate_keys(const Common& common, const KeyOptions& options);
int test_key(const Common& common, const KeyOptions& options);
int generate_key(const Common& common);

}  // namespace walden::commands
