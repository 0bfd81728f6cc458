"""What the server measures of itself, by name: readings of the last picture and of what was counted.

Nothing here is on a request's path, decides anything, or keeps more than a bounded number of counts.
"""
