// StatusFilter: tables that replace the status and text of deliveries before anybody hears of them
// (*_delivery_status_filter): a refusal can be made a deferral, a deferral a refusal, and texts
// others. What was delivered stays delivered, and what was not does not become so.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "lib/base/verdict.h"
#include "lib/table/maps.h"

namespace postern::table {

class StatusFilter {
  public:
    // `name`: the parameter that the tables come from, for the log.
    StatusFilter(std::string_view tables, std::string_view name);

    // apply() as a function; an empty one where there are no tables.
    static std::function<Verdict(Verdict)> function(std::string_view tables, std::string_view name);

    bool empty() const { return maps_.empty(); }
    // Looks up "5.1.1 text"; the result has the same form. Nonsense in a table changes nothing but
    // the log. Where a table fails, a refusal waits.
    Verdict apply(Verdict verdict);

  private:
    Maps maps_;
    std::string name_;
};

}  // namespace postern::table
