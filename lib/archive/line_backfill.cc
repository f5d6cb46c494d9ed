#include "archive/line_backfill.h"

#include "archive/line_proof.h"
#include "archive/source_file.h"
#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "wal/record_reader.h"

#include <dirent.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <set>

namespace walden::archive {

namespace {

/// What of pg_wal matters here.
struct WalDirectory {
    std::optional<wal::TimelineId> newest_history;
    std::set<wal::SegmentName> segments;
};

WalDirectory list_wal_directory(const std::string& path, wal::SegmentSize size) {
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(path.c_str()), ::closedir);
    if (!dir) throw system_error(ErrorKind::io, format("open directory \"{}\"", path), errno);
    WalDirectory found;
    while (const dirent* item = ::readdir(dir.get())) {
        const auto name = wal::parse_wal_file_name(item->d_name);
        if (!name) continue;
        if (name->kind == wal::WalFileKind::history)
            found.newest_history = std::max(found.newest_history.value_or(0), name->timeline);
        if (name->kind != wal::WalFileKind::segment) continue;
        if (const auto segment = wal::resolve_segment(*name, size)) found.segments.insert(*segment);
    }
    return found;
}

/// Makes the plan. Walks once over the line of descent, from the oldest segment in pg_wal to the
/// one in which the newest timeline begins.
class Planner {
public:
    Planner(const vault::ClusterVault& vault, const FilePreparer& preparer,
            const std::string& wal_directory, wal::TimelineHistory history)
        : vault_(vault),
          preparer_(preparer),
          wal_directory_(wal_directory),
          size_(preparer.settings().instance.segment_size),
          plan_{.history = std::move(history)} {}

    BackfillPlan make(const std::set<wal::SegmentName>& local) {
        const auto& spans = plan_.history.spans();
        end_ = wal::segment_number_of(spans.back().begin, size_);
        for (const wal::TimelineSpan& span : spans) list_archived(span.timeline);
        for (const wal::SegmentName& name : local)
            if (name.segment_number <= end_ && line_name(name.segment_number) == name)
                local_.emplace(name.segment_number, name);
        for (const auto& [number, name] : local_) examine(name);
        prove_by_what_follows();
        // The newest timeline's own segment was only looked at as a neighbour.
        std::erase_if(plan_.segments, [&](const BackfillSegment& segment) {
            return segment.name.timeline == plan_.history.timeline();
        });
        find_gaps();
        return std::move(plan_);
    }

    BackfillPlan& plan() { return plan_; }

private:
    /// Under which name the line of descent has a segment. Where a timeline begins, that is the
    /// younger one's, whose bytes begin with the older one's.
    [[nodiscard]] std::optional<wal::SegmentName> line_name(std::uint64_t number) const {
        const auto timelines = plan_.history.timelines_of_segment(number, size_);
        if (timelines.empty()) return std::nullopt;
        return wal::SegmentName{timelines.front(), number};
    }

    void list_archived(wal::TimelineId timeline) {
        const std::string prefix = vault_.layout().timeline_prefix(wal::timeline_part(timeline));
        vault_.storage().list(prefix, "", [&](const vault::ObjectInfo& info) {
            const auto name = wal::parse_segment_name(base_name(info.key), size_);
            if (name && line_name(name->segment_number) == *name)
                archived_.insert(name->segment_number);
            return !name || name->segment_number <= end_;
        });
    }

    void examine(const wal::SegmentName& name) {
        BackfillSegment segment{.name = name, .file_name = to_string(name, size_)};
        const bool follows = before_ && *before_ + 1 == name.segment_number;
        const std::optional<wal::SegmentCarry> carry_in =
            follows ? std::move(carry_) : std::nullopt;
        carry_.reset();
        before_ = name.segment_number;
        try {
            const PreparedFile file =
                preparer_.read({.name = segment.file_name, .directory = wal_directory_});
            segment.content_id = vault_.contents().id_of(*file.bytes);
            const auto stored =
                archived_.contains(name.segment_number)
                    ? vault_.entries().find(vault_.layout().segment_key(segment.file_name))
                    : std::nullopt;
            if (stored)
                compare(stored->entry, segment);
            else
                judge(file, carry_in, segment);
            if (segment.state == BackfillState::archived || segment.state == BackfillState::missing)
                carry_ = read(file, nullptr).carry_out;
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::io && error.kind() != ErrorKind::corrupt &&
                error.kind() != ErrorKind::foreign)
                throw;
            segment.state = BackfillState::unsound;
            segment.reason = error.message();
        }
        plan_.segments.push_back(std::move(segment));
    }

    static void compare(const vault::Entry& stored, BackfillSegment& segment) {
        const bool is_same = stored.content_id == segment.content_id;
        segment.state = is_same ? BackfillState::archived : BackfillState::different;
        if (!is_same)
            segment.reason = format("the archive's was written by instance {} on host {}",
                                    to_hex(stored.writer.instance), stored.writer.host);
    }

    /// A segment that the archive does not have. Proofs that come from behind it are looked for
    /// later.
    void judge(const PreparedFile& file, const std::optional<wal::SegmentCarry>& carry_in,
               BackfillSegment& segment) const {
        preparer_.require_identity(file);
        const wal::SegmentReport report = read(file, carry_in ? &*carry_in : nullptr);
        if (!report.is_complete()) {
            segment.state = BackfillState::unsound;
            segment.reason =
                format("its WAL ends at {}: {}", to_string(report.valid_end), report.reason);
            return;
        }
        segment.state = BackfillState::unproven;
        const std::uint64_t number = segment.name.segment_number;
        const auto before = number == 0 ? std::nullopt : line_name(number - 1);
        if (!before) return;
        if (!plan_.segments.empty() && plan_.segments.back().name == *before)
            judge_by_neighbour(plan_.segments.back(), segment);
        else if (archived_.contains(number - 1))
            prove_by_archived(to_string(*before, size_), file, segment);
    }

    static void judge_by_neighbour(const BackfillSegment& before, BackfillSegment& segment) {
        segment.predecessor = {.file_name = before.file_name, .content_id = before.content_id};
        switch (before.state) {
            case BackfillState::archived:
                segment.state = BackfillState::missing;
                segment.reason = format("the archive has the same {}", before.file_name);
                return;
            case BackfillState::missing: segment.state = BackfillState::missing; break;
            case BackfillState::unproven: break;
            case BackfillState::different:
                segment.reason =
                    format("it follows {}, which is not the archive's", before.file_name);
                return;
            case BackfillState::unsound:
                segment.reason = format("it follows {}, which is unsound", before.file_name);
                return;
        }
        segment.reason = before.reason;
    }

    /// The segment before is in the archive and not in pg_wal any more: a record that crosses from
    /// one to the other has one CRC over both.
    void prove_by_archived(const std::string& before, const PreparedFile& file,
                           BackfillSegment& segment) const {
        const auto stored = vault_.entries().find(vault_.layout().segment_key(before));
        if (!stored) return;
        segment.predecessor = {.file_name = before, .content_id = stored->entry.content_id};
        if (!vault_.keys().can_read_contents()) {
            segment.reason = format(
                "pg_wal has no {} to compare, and this host's key cannot read "
                "the archive's",
                before);
            return;
        }
        Bytes bytes;
        vault_.contents().read(stored->entry, bytes);
        switch (
            prove_continuation({.name = *wal::parse_segment_name(before, size_), .bytes = bytes},
                               {.name = segment.name, .bytes = *file.bytes}, size_)) {
            case Continuation::proven:
                segment.state = BackfillState::missing;
                segment.reason =
                    format("a record begins in the archive's {} and ends here", before);
                return;
            case Continuation::different:
                segment.state = BackfillState::different;
                segment.reason = format("it does not continue the archive's {}", before);
                return;
            case Continuation::unknown: break;
        }
        segment.reason = format(
            "pg_wal has no {} to compare, and no record leads from the archive's to this one",
            before);
    }

    /// What nothing before it contradicts, because nothing before it is there, may be proven by
    /// what follows it.
    void prove_by_what_follows() {
        const BackfillSegment* after = nullptr;
        for (auto segment = plan_.segments.rbegin(); segment != plan_.segments.rend(); ++segment) {
            const bool is_next =
                after != nullptr && after->name.segment_number == segment->name.segment_number + 1;
            if (segment->state == BackfillState::unproven && segment->reason.empty() && is_next &&
                (after->state == BackfillState::archived ||
                 after->state == BackfillState::missing)) {
                segment->state = BackfillState::missing;
                segment->reason = after->state == BackfillState::archived
                                      ? format("the archive has the same {}", after->file_name)
                                      : after->reason;
            }
            after = &*segment;
        }
        for (BackfillSegment& segment : plan_.segments)
            if (segment.state == BackfillState::unproven && segment.reason.empty())
                segment.reason = "no segment beside it is both here and in the archive";
    }

    void find_gaps() {
        // From the archive's last segment before what pg_wal has, or from there if there is none.
        const std::uint64_t oldest = local_.empty() ? end_ : local_.begin()->first;
        const auto above = archived_.lower_bound(oldest);
        std::uint64_t number = above == archived_.begin() ? oldest : *std::prev(above) + 1;
        for (; number < end_; ++number) {
            if (is_accounted_for(number)) continue;
            const std::string name = to_string(*line_name(number), size_);
            if (!plan_.gaps.empty() && last_gap_ + 1 == number) {
                plan_.gaps.back().last = name;
                ++plan_.gaps.back().count;
            } else {
                plan_.gaps.push_back({.first = name, .last = name, .count = 1});
            }
            last_gap_ = number;
        }
    }

    /// Archived, or listed as a segment that is not.
    [[nodiscard]] bool is_accounted_for(std::uint64_t number) const {
        return archived_.contains(number) || local_.contains(number) || !line_name(number);
    }

    [[nodiscard]] wal::SegmentReport read(const PreparedFile& file,
                                          const wal::SegmentCarry* carry_in) const {
        return wal::read_segment({.bytes = *file.bytes,
                                  .name = *wal::resolve_segment(file.name, size_),
                                  .segment_size = size_,
                                  .system_identifier = preparer_.settings().system_identifier,
                                  .carry_in = carry_in});
    }

    const vault::ClusterVault& vault_;
    const FilePreparer& preparer_;
    const std::string& wal_directory_;
    wal::SegmentSize size_;
    BackfillPlan plan_;
    std::uint64_t end_ = 0;             ///< the segment in which the newest timeline begins
    std::set<std::uint64_t> archived_;  ///< on the line
    std::map<std::uint64_t, wal::SegmentName> local_;  ///< on the line
    std::optional<std::uint64_t> before_;              ///< the segment examined last
    std::optional<wal::SegmentCarry> carry_;           ///< from it
    std::uint64_t last_gap_ = 0;
};

}  // namespace

std::string_view to_string(BackfillState state) {
    switch (state) {
        case BackfillState::archived: return "archived";
        case BackfillState::different: return "different";
        case BackfillState::missing: return "missing";
        case BackfillState::unproven: return "unproven";
        case BackfillState::unsound: return "unsound";
    }
    return "unsound";
}

bool BackfillPlan::completes_the_line() const {
    return gaps.empty() &&
           std::all_of(segments.begin(), segments.end(), [](const BackfillSegment& segment) {
               return segment.state == BackfillState::archived ||
                      segment.state == BackfillState::missing;
           });
}

std::optional<BackfillPlan> Backfill::plan() const {
    const FilePreparer& preparer = archiver_.preparer();
    const WalDirectory local =
        list_wal_directory(wal_directory_, preparer.settings().instance.segment_size);
    if (!local.newest_history) return std::nullopt;
    const std::string name = wal::history_name(*local.newest_history);
    const Bytes bytes = read_source_file(wal_directory_ + "/" + name, text_file_size_max);
    auto parsed = wal::parse_timeline_history(bytes, *local.newest_history);
    if (!parsed.history)
        throw Error(ErrorKind::corrupt,
                    format("timeline history {} is malformed: {}", name, parsed.reason));
    const auto stored = vault_.entries().find(vault_.layout().history_key(name));
    if (stored && stored->entry.content_id != vault_.contents().id_of(bytes))
        throw Error(ErrorKind::conflict, format("the archive has another {}", name))
            .with_detail(format("It was written by instance {} on host {}.",
                                to_hex(stored->entry.writer.instance), stored->entry.writer.host))
            .with_hint("This server is not on the line of descent that the archive knows.");
    Planner planner(vault_, preparer, wal_directory_, std::move(*parsed.history));
    BackfillPlan plan = planner.make(local.segments);
    plan.has_archived_history = stored.has_value();
    return plan;
}

ArchiveResult Backfill::archive(const BackfillSegment& segment) const {
    return in_context(
        [&] { return format("archive {}", segment.file_name); },
        [&] {
            PreparedFile prepared = archiver_.preparer().prepare(
                {.name = segment.file_name, .directory = wal_directory_});
            const auto content_id = vault_.contents().id_of(*prepared.bytes);
            if (content_id != segment.content_id)
                throw Error(ErrorKind::io, "the file is another one than a moment ago")
                    .with_hint("PostgreSQL recycles old segments; see wal_keep_size.");
            StorableFile file(std::move(prepared), content_id, vault_.layout());
            file.entry.predecessor = segment.predecessor;
            return archiver_.fill(file);
        });
}

}  // namespace walden::archive
