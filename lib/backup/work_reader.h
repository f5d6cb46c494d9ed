// Reads what a work names: pages, their tags, what of them the backup before has, units of the
// rest.
#pragma once

#include "backup/rate_limit.h"
#include "backup/section_builder.h"
#include "backup/unit_packer.h"
#include "backup/work.h"
#include "base/guarded.h"
#include "crypto/page_tag.h"
#include "vault/backup_store.h"
#include "vault/pack_writer.h"

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace walden::backup {

/// What all readers of one backup share. Safe from several threads.
struct Reading {
    explicit Reading(std::size_t rate_max) : rate(rate_max) {}

    const vault::BackupStore* store = nullptr;
    vault::SectionReader* parents = nullptr;  ///< sections of the backups before
    vault::PackWriter* packs = nullptr;
    std::string pgdata;
    std::uint32_t page_size = 0;
    std::uint32_t pages_per_file = 0;
    bool has_checksums = false;  ///< of pages
    codec::PageEncodeOptions encoding;
    std::vector<vault::PackRef> left_packs;  ///< ascending; their pages are stored again
    RateLimit rate;

    std::atomic<std::uint64_t> read_bytes = 0;
    std::atomic<std::uint64_t> done_bytes = 0;  ///< read, or known not to have changed
    std::atomic<std::uint64_t> known_pages = 0;
    Guarded<std::vector<SuspectPage>> suspects;   ///< their checksums are wrong
    Guarded<std::vector<SuspectPage>> surprises;  ///< not named, and not as they were
};

/// One thread at a time.
class WorkReader {
public:
    /// `reading` must outlive the reader.
    explicit WorkReader(Reading& reading);

    /// Throws Error(io | denied) naming the file that cannot be read, Error(not_found) for a file
    /// that is required and not there, and what store, codec and packs throw.
    [[nodiscard]] DoneWork read(const Work& work);

private:
    /// A section whose units are not all placed yet.
    struct Pending {
        explicit Pending(std::uint32_t page_size) : builder(page_size) {}

        SectionBuilder builder;
        std::optional<ParentSection> parent;
        const vault::SectionRef* parent_ref = nullptr;
        std::uint64_t byte_size = 0;
        std::size_t item = 0;
    };

    void read_item(const WorkItem& item, std::size_t number, DoneItem& done);
    void open_parent(const WorkItem& item, std::size_t index, Pending& pending);
    void read_section(int fd, const WorkItem& item, std::uint64_t section, Pending& pending);
    [[nodiscard]] std::size_t read_pages(int fd, const WorkItem& item, std::uint64_t offset,
                                         MutableByteView room);
    [[nodiscard]] std::uint32_t copy_known(const WorkItem& item, std::uint64_t section,
                                           Pending& pending, std::uint32_t page_count) const;
    void add_page(int fd, const WorkItem& item, std::uint64_t section, Pending& pending,
                  MutableByteView page);
    void prove(int fd, const WorkItem& item, std::uint32_t file_page, MutableByteView page);

    Reading& reading_;
    crypto::PageTagger tagger_;
    crypto::PageTag zero_tag_;
    UnitPacker relation_units_;
    UnitPacker other_units_;
    std::deque<Pending> pending_;
};

}  // namespace walden::backup
