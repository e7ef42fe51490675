// What tables that ask a server share: a connection is kept, and may have been closed by the server
// meanwhile.
#pragma once

#include "lib/base/result.h"

namespace postern::table {

// Asks over the kept connection, which `open` makes where there is none. One that was kept and
// turns out to be closed (an answer with Errc::closed) is made anew, once.
template <typename Connection, typename Open, typename Ask>
auto ask_kept(Connection& kept, Open open, Ask ask) -> decltype(ask()) {
    const bool was_open = static_cast<bool>(kept);
    if (!was_open) TRY(open());
    auto answer = ask();
    if (answer || answer.error().code != Errc::closed) return answer;
    kept.reset();
    if (!was_open) return answer;
    TRY(open());
    return ask();
}

}  // namespace postern::table
