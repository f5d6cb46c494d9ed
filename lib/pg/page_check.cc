#include "pg/page_check.h"

#include "base/file.h"
#include "base/page_checksum.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace walden::pg {

namespace {

/// A write of 8 KiB takes microseconds; one whose writer lost the processor in its middle, a time
/// slice.
constexpr int attempts = 4;
constexpr std::chrono::milliseconds pause{3};

}  // namespace

PageState check_page(ByteView page, std::uint32_t block) {
    const auto stored = load_le<std::uint16_t>(page.data() + page_checksum_offset);
    if (stored != 0 && stored == page_checksum(page, block)) return PageState::good;
    return is_zero(page) ? PageState::zero : PageState::bad;
}

PageVerdict prove_page(const PagePlace& place, MutableByteView page) {
    bool has_changed = false;
    for (int attempt = 1;; ++attempt) {
        const PageState state = check_page(page, place.block);
        if (state == PageState::good) return PageVerdict::good;
        if (state == PageState::zero) return PageVerdict::zero;
        if (attempt == attempts) break;
        if (attempt > 1) std::this_thread::sleep_for(pause);
        const Bytes again = read_range(place.fd, place.offset, page.size(), place.path);
        if (again.size() < page.size()) return PageVerdict::gone;
        has_changed = has_changed || !equal(again, page);
        std::copy(again.begin(), again.end(), page.begin());
    }
    return has_changed ? PageVerdict::torn : PageVerdict::damaged;
}

}  // namespace walden::pg
