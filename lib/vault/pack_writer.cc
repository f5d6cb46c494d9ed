#include "vault/pack_writer.h"

#include "base/error.h"

namespace walden::vault {

void PackWriter::open_pack() {
    if (last_number_ == backup_object_max)
        throw Error(ErrorKind::usage, "the backup has more packs than can be counted");
    const std::uint32_t number = ++last_number_;
    std::string key = store_.layout().pack_key(id_, number);
    ObjectSealer sealer(store_.keys(), {.kind = ObjectKind::pack, .key = key},
                        size_target_ + unit_size_max);
    open_.emplace(Open{.number = number, .key = std::move(key), .sealer = std::move(sealer)});
}

PackWriter::Closed PackWriter::close_pack() {
    sizes_[open_->number] = open_->sealer.encoded_size();
    // What the units are decoded is more than an object's plain bytes may be.
    Closed closed{
        .key = std::move(open_->key),
        .object =
            std::move(open_->sealer).finish(codec::CodecId::none, open_->sealer.encoded_size())};
    open_.reset();
    return closed;
}

PackWriter::Place PackWriter::add(ByteView encoded) {
    Place place;
    std::optional<Closed> closed;
    {
        const std::lock_guard lock(mutex_);
        if (!open_) open_pack();
        place = {.pack = {.backup = id_, .number = open_->number},
                 .offset = static_cast<std::uint32_t>(open_->sealer.encoded_size())};
        open_->sealer.append(encoded);
        if (open_->sealer.encoded_size() >= size_target_) closed = close_pack();
    }
    if (closed) take_(std::move(closed->key), std::move(closed->object));
    return place;
}

std::uint32_t PackWriter::closed_count() {
    const std::lock_guard lock(mutex_);
    return static_cast<std::uint32_t>(sizes_.size());
}

void PackWriter::finish() {
    std::optional<Closed> closed;
    {
        const std::lock_guard lock(mutex_);
        if (open_) closed = close_pack();
    }
    if (closed) take_(std::move(closed->key), std::move(closed->object));
}

}  // namespace walden::vault
