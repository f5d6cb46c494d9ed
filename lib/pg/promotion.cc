#include "pg/promotion.h"

#include "base/error.h"
#include "base/format.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string_view>

namespace walden::pg {

namespace {

using std::chrono::nanoseconds;

constexpr const char* request_name = "promote";

/// One system call sets the times of an entry and of its directory, from a clock that ticks every
/// 1 to 10 ms, and may wait for the disk in between.
constexpr nanoseconds same_moment = std::chrono::milliseconds(50);

/// More often than a directory can change while it is read.
constexpr int attempts_max = 5;

/// Since the epoch.
struct Times {
    nanoseconds modified{};
    nanoseconds changed{};
    std::optional<nanoseconds> created = std::nullopt;  ///< NFS and older kernels do not know it
};

nanoseconds time_of(const statx_timestamp& time) {
    return std::chrono::seconds(time.tv_sec) + nanoseconds(time.tv_nsec);
}

class DataDirectoryView {
public:
    explicit DataDirectoryView(const std::string& pgdata)
        : pgdata_(pgdata), dir_(::opendir(pgdata.c_str()), ::closedir) {
        if (!dir_)
            throw system_error(ErrorKind::io, format("open directory \"{}\"", pgdata), errno);
    }

    /// Of an entry, "" for the directory itself; nullopt if there is none.
    [[nodiscard]] std::optional<Times> times_of(const char* name) const {
        struct statx found {};

        const int flags = AT_SYMLINK_NOFOLLOW | (*name == '\0' ? AT_EMPTY_PATH : 0);
        if (::statx(::dirfd(dir_.get()), name, flags, STATX_MTIME | STATX_CTIME | STATX_BTIME,
                    &found) != 0) {
            if (errno == ENOENT) return std::nullopt;
            throw system_error(ErrorKind::io, format("stat \"{}/{}\"", pgdata_, name), errno);
        }
        Times times{.modified = time_of(found.stx_mtime), .changed = time_of(found.stx_ctime)};
        if ((found.stx_mask & STATX_BTIME) != 0) times.created = time_of(found.stx_btime);
        return times;
    }

    [[nodiscard]] nanoseconds changed_at() const {
        const auto times = times_of("");
        if (!times) throw Error(ErrorKind::io, format("directory \"{}\" is gone", pgdata_));
        return times->modified;
    }

    /// Whether an entry that is there now was put there at that moment.
    [[nodiscard]] bool has_arrival_at(nanoseconds moment) const {
        ::rewinddir(dir_.get());
        while (const dirent* item = ::readdir(dir_.get())) {
            const std::string_view name = item->d_name;
            if (name == "." || name == "..") continue;
            const auto times = times_of(item->d_name);
            if (times && has_arrived(*times, moment)) return true;
        }
        return false;
    }

private:
    /// Created, or renamed into place. A rename changes the inode and not its content, which tells
    /// it from a log file that is written at the very moment in which the promotion begins.
    static bool has_arrived(const Times& times, nanoseconds moment) {
        const auto is_then = [&](nanoseconds time) {
            return std::chrono::abs(time - moment) <= same_moment;
        };
        return (times.created && is_then(*times.created)) ||
               (times.changed > times.modified && is_then(times.changed));
    }

    std::string pgdata_;
    std::unique_ptr<DIR, int (*)(DIR*)> dir_;
};

/// Whether the postmaster made the change while it started. A time in the future is one of a clock
/// that was set back, and says nothing.
bool is_of_the_start(const DataDirectoryView& directory, nanoseconds moment) {
    const auto options = directory.times_of("postmaster.opts");
    const nanoseconds now = std::chrono::system_clock::now().time_since_epoch();
    return options && moment <= options->modified && options->modified <= now;
}

}  // namespace

PromotionSign find_promotion(const std::string& pgdata,
                             std::chrono::system_clock::time_point since) {
    const DataDirectoryView directory(pgdata);
    for (int attempt = 0; attempt < attempts_max; ++attempt) {
        const nanoseconds changed_at = directory.changed_at();
        const bool is_accounted_for = changed_at < since.time_since_epoch() ||
                                      is_of_the_start(directory, changed_at) ||
                                      directory.has_arrival_at(changed_at);
        // The request may come, and go, between any two looks.
        if (directory.times_of(request_name)) return PromotionSign::requested;
        if (directory.changed_at() != changed_at) continue;
        return is_accounted_for ? PromotionSign::none : PromotionSign::acted_on;
    }
    return PromotionSign::acted_on;
}

}  // namespace walden::pg
