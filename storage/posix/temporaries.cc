#include "storage/posix/temporaries.h"

#include "base/bytes.h"
#include "base/format.h"
#include "base/random.h"
#include "vault/object_storage.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <vector>

namespace walden::storage {

namespace {

constexpr std::string_view name_start = ".tmp.";
constexpr std::chrono::hours temporary_age_min{1};

/// 0 where /proc does not tell: then all writers look like those of this boot, and only the pid
/// decides.
std::uint32_t read_boot_id() {
    const FileDescriptor fd(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
    char text[8];
    std::uint32_t boot = 0;
    if (!fd.valid() || ::read(fd.get(), text, sizeof text) != sizeof text) return 0;
    const auto [end, error] = std::from_chars(text, text + sizeof text, boot, 16);
    return error == std::errc{} && end == text + sizeof text ? boot : 0;
}

/// Takes the number up to the next dot or the end off the front of `text`.
template <class Number>
bool take_number(std::string_view& text, int base, Number& number) {
    const std::string_view field = text.substr(0, text.find('.'));
    const auto [end, error] =
        std::from_chars(field.data(), field.data() + field.size(), number, base);
    if (error != std::errc{} || end != field.data() + field.size()) return false;
    text.remove_prefix(std::min(text.size(), field.size() + 1));
    return true;
}

bool is_process_gone(pid_t pid) {
    return ::kill(pid, 0) != 0 && errno == ESRCH;
}

class Sweep {
public:
    Sweep(const DirectoryTree& tree, std::uint32_t own_boot,
          std::chrono::system_clock::time_point now, std::size_t examined_count_max)
        : tree_(tree), own_boot_(own_boot), now_(now), examined_count_max_(examined_count_max) {}

    /// `path` is "." or "a/b". False when the limit is reached.
    bool visit(const std::string& path) {
        std::vector<std::string> children;
        if (path.size() > vault::ObjectStorage::key_size_max) return true;  // no key leads here
        if (!visit_names(path, children)) return false;
        return std::all_of(children.begin(), children.end(), [&](const std::string& child) {
            return visit(path == "." ? child : path + "/" + child);
        });
    }

    SweepResult& result() { return result_; }

private:
    /// Holds no descriptor when it returns, so that deep trees need no more than two.
    bool visit_names(const std::string& path, std::vector<std::string>& children) {
        FileDescriptor directory = tree_.open(path, O_RDONLY | O_DIRECTORY);
        // A directory that is gone holds nothing; one that we may not read, such as lost+found of
        // a mounted root, is not ours.
        if (!directory.valid()) return errno == ENOENT || errno == EACCES;
        std::vector<DirectoryEntry> entries = read_directory(directory.get(), path);
        std::sort(entries.begin(), entries.end(),
                  [](const DirectoryEntry& a, const DirectoryEntry& b) { return a.name > b.name; });
        for (const DirectoryEntry& entry : entries) {
            if (result_.examined_count == examined_count_max_) return false;
            ++result_.examined_count;
            if (entry.name.starts_with('.'))
                remove_if_stale(directory.get(), entry.name);
            else if (is_directory(directory.get(), entry))
                children.push_back(entry.name);
        }
        return true;
    }

    static bool is_directory(int directory, const DirectoryEntry& entry) {
        if (entry.kind != DirectoryEntry::Kind::unknown)
            return entry.kind == DirectoryEntry::Kind::directory;

        struct stat status {};

        return ::fstatat(directory, entry.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
               S_ISDIR(status.st_mode);
    }

    void remove_if_stale(int directory, const std::string& text) {
        const std::optional<TemporaryName> name = parse_temporary_name(text);
        if (!name || (name->boot == own_boot_ && !is_process_gone(name->pid))) return;

        struct stat status {};

        if (::fstatat(directory, text.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(status.st_mode))
            return;
        const auto written = std::chrono::system_clock::from_time_t(status.st_mtim.tv_sec);
        if (now_ - written < temporary_age_min) return;
        if (::unlinkat(directory, text.c_str(), 0) == 0) ++result_.removed_count;
    }

    const DirectoryTree& tree_;
    const std::uint32_t own_boot_;
    const std::chrono::system_clock::time_point now_;
    const std::size_t examined_count_max_;
    SweepResult result_;
};

}  // namespace

std::string to_string(const TemporaryName& name) {
    return format("{}{:08x}.{}.{:016x}.{}", name_start, name.boot, name.pid, name.random,
                  name.number);
}

std::optional<TemporaryName> parse_temporary_name(std::string_view text) {
    if (!text.starts_with(name_start)) return std::nullopt;
    std::string_view rest = text.substr(name_start.size());
    TemporaryName name;
    if (!take_number(rest, 16, name.boot) || !take_number(rest, 10, name.pid) ||
        !take_number(rest, 16, name.random) || !take_number(rest, 10, name.number))
        return std::nullopt;
    // kill(2) gives numbers below 1 another meaning, and what is spelled otherwise is not ours.
    if (name.pid < 1 || to_string(name) != text) return std::nullopt;
    return name;
}

TemporaryNames::TemporaryNames() {
    start_.boot = read_boot_id();
    start_.pid = ::getpid();
    start_.random = load_le<std::uint64_t>(random_array<8>().data());
}

std::string TemporaryNames::next() {
    TemporaryName name = start_;
    name.number = number_.fetch_add(1);
    return to_string(name);
}

SweepResult sweep_temporaries(const DirectoryTree& tree, std::uint32_t own_boot,
                              std::chrono::system_clock::time_point now,
                              std::size_t examined_count_max) noexcept {
    Sweep sweep(tree, own_boot, now, examined_count_max);
    try {
        sweep.result().is_complete = sweep.visit(".");
    } catch (const std::exception&) {
        // Left-overs harm nobody: whatever stops the sweep is not worth failing for.
    }
    return sweep.result();
}

}  // namespace walden::storage
