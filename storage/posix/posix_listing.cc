#include "storage/posix/posix_listing.h"

#include "base/error.h"
#include "base/format.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <utility>
#include <vector>

namespace walden::storage {

using vault::ObjectInfo;

namespace {

/// A file's key or a directory's with a slash at the end, which sorts a directory where its objects
/// belong: "a.b" is less than "a/b", although "a" is less than "a.b".
struct Item {
    std::string key;
    std::uint64_t size = 0;

    [[nodiscard]] bool is_directory() const { return key.back() == '/'; }
};

class Walk {
public:
    Walk(const DirectoryTree& tree, const std::string& prefix, const std::string& start_after,
         const std::function<bool(const ObjectInfo&)>& visit)
        : tree_(tree), prefix_(prefix), start_after_(start_after), visit_(visit) {}

    /// Visits what lies in `directory`, which is "" or ends in a slash. False if the visitor has
    /// had enough.
    bool run(const std::string& directory) {
        for (const Item& item : read_items(directory)) {
            const bool goes_on =
                item.is_directory() ? run(item.key) : visit_(ObjectInfo{item.key, item.size});
            if (!goes_on) return false;
        }
        return true;
    }

private:
    /// Whether `key`, or for a directory some key below it, belongs to the listing.
    [[nodiscard]] bool is_wanted(const std::string& key) const {
        if (key.back() != '/') return key.starts_with(prefix_) && key > start_after_;
        const bool touches_prefix = key.starts_with(prefix_) || prefix_.starts_with(key);
        // All keys below are less or equal if start_after is greater and not one of them.
        const bool is_done = key < start_after_ && !start_after_.starts_with(key);
        return touches_prefix && !is_done;
    }

    [[nodiscard]] std::vector<Item> read_items(const std::string& directory) const {
        const std::string path =
            directory.empty() ? "." : directory.substr(0, directory.size() - 1);
        const FileDescriptor fd = tree_.open(path, O_RDONLY | O_DIRECTORY);
        if (!fd.valid()) {
            // Either the prefix leads nowhere, or the directory went away since its name was read;
            // both times there are no objects.
            if (errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG) return {};
            throw_errno("open directory", tree_.absolute(path), errno);
        }
        std::vector<Item> items;
        for (DirectoryEntry& entry : read_directory(fd.get(), tree_.absolute(path)))
            add_item(fd.get(), directory + entry.name, entry, items);
        std::sort(items.begin(), items.end(),
                  [](const Item& a, const Item& b) { return a.key < b.key; });
        // Network file systems may name an entry twice when the directory changes meanwhile.
        items.erase(std::unique(items.begin(), items.end(),
                                [](const Item& a, const Item& b) { return a.key == b.key; }),
                    items.end());
        return items;
    }

    void add_item(int directory, std::string key, const DirectoryEntry& entry,
                  std::vector<Item>& items) const {
        if (!vault::is_valid_key(entry.name) || !vault::is_valid_key(key)) return;
        if (entry.kind == DirectoryEntry::Kind::directory) {
            key += '/';
            if (is_wanted(key)) items.push_back({std::move(key)});
            return;
        }
        // The d_type of a file says nothing of its size, so ask for both; but only if needed.
        if (!is_wanted(key) && !is_wanted(key + "/")) return;

        struct stat status {};

        if (::fstatat(directory, entry.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno == ENOENT) return;  // removed meanwhile
            throw_errno("stat", tree_.absolute(key), errno);
        }
        const DirectoryEntry::Kind kind = kind_of_mode(status.st_mode);
        if (kind == DirectoryEntry::Kind::directory) key += '/';
        if (!is_wanted(key)) return;
        if (kind == DirectoryEntry::Kind::other)
            throw Error(ErrorKind::io,
                        format("\"{}\" is neither a file nor a directory", tree_.absolute(key)));
        items.push_back({std::move(key), static_cast<std::uint64_t>(status.st_size)});
    }

    const DirectoryTree& tree_;
    const std::string& prefix_;
    const std::string& start_after_;
    const std::function<bool(const ObjectInfo&)>& visit_;
};

}  // namespace

void list_objects(const DirectoryTree& tree, const std::string& prefix,
                  const std::string& start_after,
                  const std::function<bool(const ObjectInfo&)>& visit) {
    const std::size_t slash = prefix.rfind('/');
    const std::string start = slash == std::string::npos ? "" : prefix.substr(0, slash + 1);
    static_cast<void>(Walk(tree, prefix, start_after, visit).run(start));
}

}  // namespace walden::storage
