"""What a diagnostics file needs: tables read for it, and redacted."""
