// fmt's out-of-line part, compiled here: Debian has it only as a shared library, and the programs
// that PostgreSQL starts once per segment must not need one (a missing library is exit status 127,
// which restarts the archiver uncounted).
#include <fmt/format-inl.h>

namespace fmt {

inline namespace v9 {

namespace detail {

template FMT_API auto dragonbox::to_decimal(float x) noexcept -> dragonbox::decimal_fp<float>;
template FMT_API auto dragonbox::to_decimal(double x) noexcept -> dragonbox::decimal_fp<double>;
template FMT_API auto thousands_sep_impl(locale_ref) -> thousands_sep_result<char>;
template FMT_API auto decimal_point_impl(locale_ref) -> char;
template FMT_API void buffer<char>::append(const char*, const char*);
template FMT_API void vformat_to(buffer<char>&, string_view,
                                 basic_format_args<FMT_BUFFER_CONTEXT(char)>, locale_ref);

}  // namespace detail

}  // namespace v9

}  // namespace fmt
