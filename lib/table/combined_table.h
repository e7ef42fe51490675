// unionmap:{a, b}: the results of all tables, joined with commas. pipemap:{a, b}: the result of one
// table is the key of the next.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lib/table/table.h"

namespace postern::table {

class UnionTable final : public Table {
  public:
    explicit UnionTable(std::vector<std::unique_ptr<Table>> tables) : tables_(std::move(tables)) {}
    Lookup<std::string> lookup(std::string_view key) override;
    bool patterns() const override;
    std::vector<std::string> warnings() const override;

  private:
    std::vector<std::unique_ptr<Table>> tables_;
};

class PipeTable final : public Table {
  public:
    explicit PipeTable(std::vector<std::unique_ptr<Table>> tables) : tables_(std::move(tables)) {}
    Lookup<std::string> lookup(std::string_view key) override;
    bool patterns() const override;
    std::vector<std::string> warnings() const override;

  private:
    std::vector<std::unique_ptr<Table>> tables_;
};

}  // namespace postern::table
