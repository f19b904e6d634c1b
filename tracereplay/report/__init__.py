"""What people look at: tables, figures, pages; made from results, never from traces."""
